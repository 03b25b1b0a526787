// Which documents are listed: what is searched, in which order, and for a collector whose.
import { TIMING } from '../config.js';
import { bytes } from '../format.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { $ } from './dom.js';

/** Let the list be searched, sorted and, by a collector, seen whole. */
export function mountTools(store) {
  mountSearch(store);
  $('sort').value = store.wanted.sort;
  $('sort').addEventListener('change', () => look(store, { sort: $('sort').value }));
  $('whose').addEventListener('click', ({ target }) => {
    const everyones = target === $('whose-all');
    const isOther = target.matches('button') && everyones !== store.wanted.everyones;
    if (isOther) look(store, { everyones });
  });
  store.addEventListener('narrowed', () => announce(say('list_narrowed'), { alert: true, seen: true }));
}

/** Show the tools where there is something to look through; the focus of one that goes away goes on. */
export function patchTools({ wanted, loadedAt, documents, session }) {
  const isCollector = session.user?.collector === true;
  const { search, everyones } = wanted;
  const focused = $('list-tools').querySelector(':focus');
  $('list-tools').hidden = !loadedAt || !(documents.length || search || isCollector);
  $('whose').hidden = !isCollector;
  $('whose-mine').ariaPressed = `${!everyones}`;
  $('whose-all').ariaPressed = `${everyones}`;
  if (focused && !focused.checkVisibility()) $('documents-h').focus();
}

function mountSearch(store) {
  const field = $('search');
  let timer = 0;

  function seek() {
    clearTimeout(timer);
    const search = field.value.trim();
    if (search !== store.wanted.search) look(store, { search });
  }

  function empty() {
    field.value = '';
    patchClear();
    seek();
  }

  field.placeholder = say('list_search');
  field.addEventListener('input', () => {
    patchClear();
    clearTimeout(timer);
    timer = setTimeout(seek, TIMING.typing);
  });
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Enter') seek();
    if (event.key !== 'Escape' || !field.value) return;
    event.preventDefault(); // not all browsers empty it themselves
    empty();
  });
  $('search-clear').addEventListener('click', () => {
    field.focus();
    empty();
  });
  store.addEventListener('cleared', () => {
    clearTimeout(timer);
    field.value = '';
    $('sort').value = store.wanted.sort;
    patchClear();
  });
}

function patchClear() {
  $('search-clear').hidden = !$('search').value;
}

/** Read another list, and say what it has; whoever has to sign in first is told so by the dialog. */
async function look(store, changes) {
  const count = await store.look(changes);
  if (count === undefined) return;
  if (store.failed) announce(say('documents_failed'), { alert: true });
  else if (count !== null) announce(foundText(store));
}

function foundText({ wanted, total, totalBytes }) {
  if (!wanted.search) return say('list_total', { count: total, size: bytes(totalBytes) });
  return total ? say('list_found', { count: total }) : say('list_found_none');
}
