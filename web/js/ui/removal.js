// Deleting documents, one or several: asked before, told after, and what failed says why.
import { isolated, shown } from '../format.js';
import { NetworkTrouble } from '../http.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { locale, phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { ask } from './dom.js';
import { isolate } from './names.js';

const NAMED = 3; // in the question
const AT_ONCE = 3;

/** Delete a document, if that is really meant; its row hands the focus on when it goes. */
export async function removeOne(document, { store, limits }) {
  const name = shown(document.filename);
  if (!(await isMeant([document]))) return;
  try {
    await store.remove(document);
    announce(say('deleted', { name }), { seen: true });
  } catch (error) {
    if (error instanceof SignedOut) return;
    const problem = markProblem(document, error, { store, limits });
    announce(say('about', { name, text: problem }), { alert: true });
  }
}

/** Delete documents, if that is really meant, and tell once what came of it; what failed stays as it is. */
export async function removeSeveral(documents, tools) {
  if (!(await isMeant(documents))) return;
  const { deleted, failures } = await removeAll(documents, tools.store);
  for (const { document, error } of failures) markProblem(document, error, tools);
  const values = { count: deleted, failed: documents.length - deleted };
  if (failures.length) announce(say('list_deleted_some', values), { alert: true, seen: true });
  else if (deleted === documents.length) announce(say('list_deleted', values), { seen: true });
}

/** Delete a few at a time. Without a connection or a session those that are left are not tried. */
async function removeAll(documents, store) {
  const left = [...documents];
  const failures = [];
  let deleted = 0;
  const work = async () => {
    while (left.length) {
      const document = left.shift();
      try {
        await store.remove(document);
        deleted += 1;
      } catch (error) {
        if (!(error instanceof SignedOut)) failures.push({ document, error });
        const isLost = error instanceof NetworkTrouble || error instanceof SignedOut;
        if (isLost) failures.push(...untried(left, error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { deleted, failures };
}

/** Empty what is left to do; whoever has to sign in first is told so by the dialog. */
function untried(left, error) {
  const rest = left.splice(0);
  return error instanceof SignedOut ? [] : rest.map((document) => ({ document, error }));
}

/** Ask; a single document is named, of several the first. */
function isMeant(documents) {
  const names = documents.map(({ filename }) => shown(filename));
  if (documents.length === 1) {
    const title = phrase('delete_question', { name: isolate(names[0]) });
    return ask({ title, text: say('delete_warning'), yes: say('delete') });
  }
  const title = [say('list_delete_question', { count: documents.length })];
  return ask({ title, text: say('list_delete_warning', { names: listed(names) }), yes: say('delete') });
}

/** Return the first names and the number of the others, as a list is written in the page's language. */
function listed(names) {
  const first = names.slice(0, NAMED).map(isolated);
  const others = names.length - first.length;
  const list = others ? [...first, say('more', { count: others })] : first;
  return new Intl.ListFormat(locale).format(list);
}

function markProblem(document, error, { store, limits }) {
  const problem = say('not_deleted', { reason: failureText(error, limits, shown(document.filename)) });
  store.mark(document, { problem });
  return problem;
}
