// The documents that have arrived: download and delete them.
import { API, TIMING } from '../config.js';
import { ago, badge, bytes, shown, when } from '../format.js';
import { FOREIGN } from '../http.js';
import { SignedOut } from '../session.js';
import { failureText } from '../words.js';
import { announce } from './announcer.js';
import { $, ask, clone, soon } from './dom.js';

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
    $('documents-updated').textContent = loadedAt ? `Updated ${ago(Date.now() - loadedAt)}` : '';
    $('documents-loading').hidden = !loading || performance.now() - loading < TIMING.loadingText;
    if (loading) setTimeout(render, TIMING.loadingText);
  });

  store.addEventListener('change', render);
  setInterval(render, TIMING.minute);
  for (const id of ['refresh', 'documents-again']) $(id).addEventListener('click', () => store.load());
  $('documents-older').addEventListener('click', () => store.older());
  $('documents-list').addEventListener('click', (event) => {
    const [row, link, button] = ['li', '.download', '.delete'].map((selector) => event.target.closest(selector));
    const document = store.documents.find(({ id }) => id === row?.dataset.id);
    if (link && !link.dataset.ready) download(event, link, session);
    if (button && !document.deleting) remove(document, row, store, limits);
  });
}

/** Let the link go only when the session is sure to last: a 401 would be a download that just fails. */
async function download(event, link, session) {
  event.preventDefault();
  session.distrust();
  const sure = await session.ensureFresh().catch(() => false);
  if (!sure) return announce('The download could not be started.', { alert: true });
  link.dataset.ready = 'yes';
  link.click();
  delete link.dataset.ready;
}

async function remove(document, row, store, limits) {
  const name = row.querySelector('.name bdi').cloneNode(true);
  if (!(await ask({ title: ['Delete ', name, '?'], text: 'This cannot be undone.', yes: 'Delete' }))) return;
  const next = row.previousElementSibling?.querySelector('.delete') ?? $('documents-h');
  try {
    await store.remove(document);
    if (row.matches(':focus-within')) next.focus();
    announce(`${name.textContent} deleted`);
  } catch (error) {
    if (error instanceof SignedOut) return;
    const problem = `Not deleted. ${failureText(error, limits)}`;
    store.mark(document, { problem });
    announce(`${name.textContent}: ${problem}`, { alert: true });
  }
}

/** Make `list` show `documents` in their order, and move no row that need not move: it may have the focus. */
function arrange(list, rows, documents) {
  const wanted = new Set(documents.map(({ id }) => id));
  for (const [id, row] of rows) if (!wanted.has(id)) { row.remove(); rows.delete(id); }
  let next = list.firstElementChild;
  for (const document of documents) {
    const row = rows.get(document.id) ?? make(document);
    const { deleting, problem, size, uploadedAt } = document;
    const text = deleting ? 'Deleting…' : problem ?? `${bytes(size)} · ${when(new Date(uploadedAt))}`;
    const meta = row.querySelector('.meta');
    if (meta.textContent !== text) meta.textContent = text;
    rows.set(document.id, row);
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
}

function make({ id, filename }) {
  const row = clone('document-template');
  const [name, link] = [shown(filename), row.querySelector('.download')];
  row.dataset.id = id;
  row.querySelector('.kind').textContent = badge(name);
  row.querySelector('.name bdi').textContent = name;
  row.querySelector('.delete').ariaLabel = `Delete ${name}`;
  link.ariaLabel = `Download ${name}`;
  link.href = `${API}/api/documents/${id}/content`;
  if (FOREIGN) link.target = '_blank'; // where `download` means nothing; an answer that is no file opens elsewhere
  return row;
}
