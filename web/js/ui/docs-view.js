// The documents that have arrived: download and delete them.
import { TIMING } from '../config.js';
import { ago } from '../format.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { makeDocument, patchDocument } from './document-row.js';
import { $, ask, soon } from './dom.js';

/** Keep the documents' section as `store` says. */
export function mountDocuments(store, { session, limits }) {
  const rows = new Map();
  const render = soon(() => {
    const { documents, loading, loadedAt } = store;
    arrange($('documents-list'), rows, documents);
    $('documents-list').hidden = !documents.length;
    $('documents-empty').hidden = !loadedAt || documents.length > 0;
    $('documents-error').hidden = !store.failed;
    $('documents-older').hidden = !store.more;
    $('documents-updated').textContent = loadedAt ? say('updated', { ago: ago(Date.now() - loadedAt) }) : '';
    $('documents-loading').hidden = !loading || performance.now() - loading < TIMING.loadingText;
    if (loading) setTimeout(render, TIMING.loadingText);
  });

  store.addEventListener('change', render);
  setInterval(render, TIMING.minute);
  for (const id of ['refresh', 'documents-again']) $(id).addEventListener('click', () => store.load());
  $('documents-older').addEventListener('click', () => store.older());
  $('documents-list').addEventListener('click', (event) => {
    const row = event.target.closest('li');
    const link = event.target.closest('.download');
    const document = store.documents.find(({ id }) => id === row?.dataset.id);
    if (link && !link.dataset.ready) download(event, link, session);
    if (event.target.closest('.delete') && !document.deleting) remove(document, row, store, limits);
  });
}

/** Let the link go only when the session is sure to last: a 401 would be a download that just fails. */
async function download(event, link, session) {
  event.preventDefault();
  session.distrust();
  const sure = await session.ensureFresh().catch(() => false);
  if (!sure) {
    announce(say('download_failed'), { alert: true });
    return;
  }
  link.dataset.ready = 'yes';
  link.click();
  delete link.dataset.ready;
}

async function remove(document, row, store, limits) {
  const name = row.querySelector('.full').textContent;
  const isolated = window.document.createElement('bdi');
  isolated.textContent = name;
  const title = phrase('delete_question', { name: isolated });
  if (!(await ask({ title, text: say('delete_warning'), yes: say('delete') }))) return;
  const next = row.previousElementSibling?.querySelector('.delete') ?? $('documents-h');
  try {
    await store.remove(document);
    if (row.matches(':focus-within')) next.focus();
    announce(say('deleted', { name }));
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
