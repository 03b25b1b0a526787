// The documents that have arrived: which are listed, and what can be done with them.
import { TIMING } from '../config.js';
import { ago } from '../format.js';
import { Selection } from '../selection.js';
import sentences from '../words/list.js';
import { learn, phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { $, busily, soon } from './dom.js';
import { download } from './downloading.js';
import { mountTools, patchTools } from './list-tools.js';
import { isolate } from './names.js';
import { removeOne } from './removal.js';
import { arrange } from './row-list.js';
import { mountSelection, patchSelection } from './selection-bar.js';

learn(sentences);

/** Keep the documents' section as `store` says. */
export function mountDocuments(store, { session, limits }) {
  const selection = new Selection();
  const tools = { store, selection, session, limits };
  const show = () => {
    selection.keep(store.documents);
    const { everyones } = store.wanted;
    const about = (document) => ({ chosen: selection.has(document), everyones });
    arrange($('documents-list'), store.documents, about);
    patchSelection(store, selection);
    patchTools(store);
    patchSection(store);
    if (store.loading) setTimeout(render, TIMING.loadingText);
  };
  const render = soon(show);

  for (const source of [store, selection, session]) source.addEventListener('change', render);
  setInterval(render, TIMING.minute);
  mountTools(store);
  mountSelection(tools);
  mountReading(store, show);
  $('documents-list').addEventListener('click', (event) => {
    const row = event.target.closest('li');
    const link = event.target.closest('.download');
    const document = store.documents.find(({ id }) => id === row?.dataset.id);
    if (link) download(event, link, document, tools);
    if (event.target.closest('.delete') && !document.deleting) removeOne(document, tools);
  });
  show();
}

/** Show how the list stands. */
function patchSection(store) {
  const { documents, wanted, loading, loadedAt } = store;
  const isEmpty = loadedAt > 0 && !documents.length;
  $('documents-h').textContent = say(wanted.everyones ? 'list_everyones_h' : 'your_files');
  $('documents-list').hidden = !documents.length;
  $('documents-empty').hidden = !isEmpty || wanted.search !== '';
  $('documents-nothing').hidden = !isEmpty || wanted.search === '';
  $('documents-nothing').replaceChildren(...phrase('list_nothing', { search: isolate(wanted.search) }));
  $('documents-error').hidden = !store.failed;
  $('documents-older').hidden = !store.more;
  $('documents-older').textContent = isByAge(wanted) ? say('show_older') : say('list_more');
  $('documents-updated').textContent = status(store);
  $('documents-unseen').textContent = store.unseen.length
    ? say('list_unseen', { count: store.unseen.length })
    : '';
  $('documents-loading').hidden =
    loadedAt > 0 || !loading || performance.now() - loading < TIMING.loadingText;
}

/** Let the list be read again, and further. */
function mountReading(store, show) {
  $('refresh').addEventListener('click', () => refresh(store));
  $('documents-again').addEventListener('click', () => {
    $('refresh').focus(); // "Try again" goes while it tries
    refresh(store);
  });
  $('documents-older').addEventListener('click', () => showOlder(store, show));
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
  const none = isByAge(store.wanted) ? say('older_none') : say('list_no_more');
  tellReading(store, count ? say('older_shown', { count }) : none);
}

const isByAge = ({ sort }) => sort === 'newest';

/** Whoever has to sign in first is told so by the dialog. */
function tellReading({ failed, session }, text) {
  if (failed) announce(say('documents_failed'), { alert: true });
  else if (session.active) announce(text);
}
