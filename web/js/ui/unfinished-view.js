// The offer of what an earlier page left unsent.
import { shown } from '../format.js';
import { locale, say } from '../words.js';
import { announce } from './announcer.js';
import { $, ask } from './dom.js';

const NAMED = 3; // the others are only counted

/** Offer what `unfinished` has until it is resumed or discarded, and say so when `keeper` cannot keep what is added. */
export function mountUnfinished(unfinished, keeper) {
  keeper.addEventListener('change', () => {
    $('unkept').hidden = !keeper.unkept;
    if (keeper.unkept) announce(say('unkept'), { alert: true });
  });
  unfinished.addEventListener('change', () => {
    if (unfinished.rows.length) show(unfinished.rows);
    else hide();
  });
  $('resume').addEventListener('click', () => resume(unfinished));
  $('discard').addEventListener('click', () => discard(unfinished));
}

function show(rows) {
  const text = say('unfinished', { count: rows.length });
  if (text !== $('unfinished-text').textContent) announce(text);
  $('unfinished-text').textContent = text;
  $('unfinished-names').replaceChildren(...named(rows));
  $('resume').textContent = say('resume', { count: rows.length });
  $('unfinished').hidden = false;
}

/** Take the offer away, and hand the focus on to what has become of it. */
function hide() {
  const focused = $('unfinished').contains(document.activeElement);
  $('unfinished').hidden = true;
  $('unfinished-text').textContent = '';
  $('unfinished-names').replaceChildren();
  if (!focused) return;
  const next = $('queue-h').checkVisibility() ? $('queue-h') : $('choose');
  next.focus();
}

/** Resume what is on offer; the focus that the offer has handed on follows the files as soon as they have rows. */
async function resume(unfinished) {
  await unfinished.resume();
  if (document.activeElement === $('choose') && $('queue-h').checkVisibility()) $('queue-h').focus();
}

async function discard(unfinished) {
  const count = unfinished.rows.length;
  const title = [say('discard_question', { count })];
  const sure = await ask({ title, text: say('discard_warning', { count }), yes: say('discard') });
  if (!sure) return;
  const discarded = await unfinished.discard(); // some may have been resumed meanwhile
  if (discarded) announce(say('discarded', { count: discarded }), { seen: true });
}

/** Return the names of the first rows and the number of the others, as a list is written in the page's language. */
function named(rows) {
  const names = rows.slice(0, NAMED).map(({ file }) => shown(file.name));
  const others = rows.length - names.length;
  const list = others ? [...names, say('more', { count: others })] : names;
  return new Intl.ListFormat(locale).formatToParts(list).map(({ type, value }) => {
    if (type === 'literal') return value;
    const name = document.createElement('bdi');
    name.textContent = value;
    return name;
  });
}
