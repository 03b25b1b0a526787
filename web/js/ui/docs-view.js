// The documents that have arrived: download and delete them.

import { API, TIMING } from '../config.js';
import { ago, badge, bytes, shown, when } from '../format.js';
import { FOREIGN } from '../http.js';
import { SignedOut } from '../session.js';
import { failureText } from '../words.js';
import { announce } from './announcer.js';
import { ask } from './confirm.js';
import { $, clone, soon } from './dom.js';

/** Keep the documents' section as `store` says. */
export function mountDocuments(store, { session, limits }) {
  const list = $('documents-list');
  const rows = new Map();
  const render = soon(() => {
    arrange(list, rows, store.documents);
    list.hidden = !store.documents.length;
    $('documents-empty').hidden = !store.loadedAt || store.documents.length > 0;
    $('documents-error').hidden = !store.failed;
    $('documents-older').hidden = !store.more;
    $('documents-updated').textContent = store.loadedAt ? `Updated ${ago(Date.now() - store.loadedAt)}` : '';
    $('documents-loading').hidden = !store.loading || performance.now() - store.loading < TIMING.loadingText;
    if (store.loading) setTimeout(render, TIMING.loadingText);
  });

  store.addEventListener('change', render);
  setInterval(render, TIMING.minute);
  for (const id of ['refresh', 'documents-again']) $(id).addEventListener('click', () => store.load());
  $('documents-older').addEventListener('click', () => store.older());
  list.addEventListener('click', async (event) => {
    const [link, button] = ['.download', '.delete'].map((selector) => event.target.closest(selector));
    const document = store.documents.find(({ id }) => id === event.target.closest('li')?.dataset.id);
    if (link && !link.dataset.ready) download(event, link, session);
    if (button && !document.deleting) remove(document, rows.get(document.id), store, limits);
  });
}

/** Let the link go only when the session is sure to last: a 401 would be a download that just fails. */
async function download(event, link, session) {
  event.preventDefault();
  session.distrust();
  try {
    await session.ensureFresh();
    link.dataset.ready = 'yes';
    link.click();
  } catch (error) {
    if (!(error instanceof SignedOut)) announce('The download could not be started.', { alert: true });
  }
  delete link.dataset.ready;
}

async function remove(document, row, store, limits) {
  const name = window.document.createElement('bdi');
  name.textContent = shown(document.filename);
  if (!(await ask({ title: ['Delete ', name, '?'], text: 'This cannot be undone.', yes: 'Delete' }))) return;
  const neighbour = row.previousElementSibling?.querySelector('.delete') ?? $('documents-h');
  try {
    await store.remove(document);
    if (row.contains(window.document.activeElement)) neighbour.focus();
    announce(`${shown(document.filename)} deleted.`);
  } catch (error) {
    if (error instanceof SignedOut) return;
    const reason = failureText(error, limits);
    store.mark(document, { problem: `Not deleted. ${reason}` });
    announce(`${shown(document.filename)} was not deleted. ${reason}`, { alert: true });
  }
}

/** Make `list` show `documents` in their order, and move no row that need not move: it may have the focus. */
function arrange(list, rows, documents) {
  const wanted = new Set(documents.map(({ id }) => id));
  for (const [id, row] of rows) if (!wanted.has(id)) { row.remove(); rows.delete(id); }
  let next = list.firstElementChild;
  for (const document of documents) {
    const row = rows.get(document.id) ?? make(document);
    rows.set(document.id, row);
    row.querySelector('.meta').textContent = document.deleting ? 'Deleting…' : describe(document);
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
}

function describe({ size, uploadedAt, problem }) {
  return problem ?? `${bytes(size)} · ${when(new Date(uploadedAt))}`;
}

function make({ id, filename }) {
  const row = clone('document-template');
  const name = shown(filename);
  const link = row.querySelector('.download');
  row.dataset.id = id;
  row.querySelector('.kind').textContent = badge(name);
  row.querySelector('.name bdi').textContent = name;
  link.href = `${API}/api/documents/${id}/content`;
  if (FOREIGN) link.target = '_blank'; // `download` is for one's own origin; an answer that is none opens elsewhere
  link.setAttribute('aria-label', `Download ${name}`);
  row.querySelector('.delete').setAttribute('aria-label', `Delete ${name}`);
  return row;
}
