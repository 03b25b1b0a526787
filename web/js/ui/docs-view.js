// The documents that have arrived: download and delete them.
import { TIMING } from '../config.js';
import { ago } from '../format.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { makeDocument, patchDocument } from './document-row.js';
import { $, ask, busily, isolate, soon } from './dom.js';

/** Keep the documents' section as `store` says. */
export function mountDocuments(store, { session, limits }) {
  const rows = new Map();
  const show = () => {
    const { documents, loading, loadedAt } = store;
    arrange($('documents-list'), rows, documents);
    $('documents-list').hidden = !documents.length;
    $('documents-empty').hidden = !loadedAt || documents.length > 0;
    $('documents-error').hidden = !store.failed;
    $('documents-older').hidden = !store.more;
    $('documents-updated').textContent = status(store);
    $('documents-loading').hidden =
      loadedAt > 0 || !loading || performance.now() - loading < TIMING.loadingText;
    if (loading) setTimeout(render, TIMING.loadingText);
  };
  const render = soon(show);

  store.addEventListener('change', render);
  setInterval(render, TIMING.minute);
  $('refresh').addEventListener('click', () => refresh(store));
  $('documents-again').addEventListener('click', () => {
    $('refresh').focus(); // "Try again" goes while it tries
    refresh(store);
  });
  $('documents-older').addEventListener('click', () => showOlder(store, show));
  $('documents-list').addEventListener('click', (event) => {
    const row = event.target.closest('li');
    const link = event.target.closest('.download');
    const document = store.documents.find(({ id }) => id === row?.dataset.id);
    if (link && !link.dataset.ready) download(event, link, session);
    if (event.target.closest('.delete') && !document.deleting) remove(document, row, store, limits);
  });
}

/** Return what is known of the list's age: that it is being read, or when it was and what was new then. */
function status({ reading, loadedAt, failed, fresh }) {
  if (!loadedAt) return '';
  if (reading === 'list') return say('refreshing');
  const age = Date.now() - loadedAt;
  const values = { ago: ago(age), count: fresh };
  if (failed) return say('not_refreshed', values);
  if (fresh === null || age >= TIMING.minute) return say('updated', values);
  return fresh ? say('updated_new', values) : say('updated_nothing_new', values);
}

/** Read the list at somebody's wish, and tell what came of it. */
async function refresh(store) {
  const fresh = await busily($('refresh'), () => store.load());
  if (fresh !== undefined) tellReading(store, status(store));
}

/** Show the next page: the focus goes on to its first row. */
async function showOlder(store, show) {
  const last = store.documents.at(-1);
  const count = await busily($('documents-older'), () => store.older());
  if (count === undefined) return;
  show();
  const row = $('documents-list').querySelector(`[data-id="${last.id}"]`);
  const next = row?.nextElementSibling ?? row;
  if (count !== null) (next?.querySelector('.name .download') ?? $('documents-h')).focus();
  tellReading(store, count ? say('older_shown', { count }) : say('older_none'));
}

/** Whoever has to sign in first is told so by the dialog. */
function tellReading({ failed, session }, text) {
  if (failed) announce(say('documents_failed'), { alert: true });
  else if (session.active) announce(text);
}

/** Let the link go only when the session is sure to last: a 401 would be a download that just fails. */
async function download(event, link, session) {
  event.preventDefault();
  session.distrust();
  const sure = await session.ensureFresh().catch(() => false);
  if (!sure) {
    announce(say('download_failed'), { alert: true, seen: true });
    return;
  }
  link.dataset.ready = 'yes';
  link.click();
  delete link.dataset.ready;
}

async function remove(document, row, store, limits) {
  const name = row.querySelector('.full').textContent;
  const title = phrase('delete_question', { name: isolate(name) });
  if (!(await ask({ title, text: say('delete_warning'), yes: say('delete') }))) return;
  const next = row.previousElementSibling?.querySelector('.delete') ?? $('documents-h');
  try {
    await store.remove(document);
    if (row.matches(':focus-within')) next.focus();
    announce(say('deleted', { name }), { seen: true });
  } catch (error) {
    if (error instanceof SignedOut) return;
    const problem = say('not_deleted', { reason: failureText(error, limits, name) });
    store.mark(document, { problem });
    announce(say('about', { name, text: problem }), { alert: true });
  }
}

/** Make `list` show `documents` in their order, and move no row that need not move: it may have the focus. */
function arrange(list, rows, documents) {
  const wanted = new Set(documents.map(({ id }) => id));
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  let next = list.firstElementChild;
  for (const document of documents) {
    const row = rows.get(document.id) ?? makeDocument(document);
    rows.set(document.id, row);
    patchDocument(row, document);
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
}
