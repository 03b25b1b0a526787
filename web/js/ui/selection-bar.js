// The line over the documents: choose all or none, and what can be done with those that are chosen.

import { API } from '../config.js';
import { bytes } from '../format.js';
import { FOREIGN } from '../http.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { mountCheckmarks, selectedText, tellSelected } from './checkmarks.js';
import { $, busily, focusFirst } from './dom.js';
import { downloadZip } from './downloading.js';
import { removeSeveral } from './removal.js';

const MOST_IN_ZIP = 500; // the server takes no more

/** Let documents be chosen; `tools` are the store, the selection, the session and the limits. */
export function mountSelection(tools) {
  const { store, selection } = tools;
  mountCheckmarks($('documents-list'), store, selection);
  if (FOREIGN) $('selection-zip').target = '_blank'; // where `download` means nothing
  $('select-all').addEventListener('change', ({ target }) => {
    selection.set(store.documents, target.checked);
    tellSelected(store, selection);
  });
  $('selection-clear').addEventListener('click', () => selection.clear());
  $('selection-delete').addEventListener('click', () =>
    busily($('selection-delete'), () => removeSeveral(selection.of(store.documents), tools)),
  );
  $('selection-zip').addEventListener('click', (event) => zip(event, tools));
}

/** Show what is chosen of the store's documents, and how many there are; the focus of what goes away goes on. */
export function patchSelection(store, selection) {
  const chosen = selection.of(store.documents);
  const focused = $('selection').querySelector(':focus');
  $('selection').hidden = !store.documents.length;
  $('selection').toggleAttribute('data-chosen', chosen.length > 0);
  if (store.documents.length) {
    patchChosen(chosen, store.documents);
    patchTotal(store);
    patchDeeds(chosen);
  }
  if (focused && !focused.checkVisibility()) focusFirst($('select-all'), $('documents-h'));
}

function patchChosen(chosen, documents) {
  const isAny = chosen.length > 0;
  $('select-all').checked = chosen.length === documents.length;
  $('select-all').indeterminate = isAny && chosen.length < documents.length;
  $('select-all-text').hidden = isAny;
  $('selection-text').textContent = isAny ? selectedText(chosen) : '';
}

function patchTotal({ total, totalBytes, wanted }) {
  const values = { count: total, size: bytes(totalBytes) };
  $('documents-total').textContent = wanted.search
    ? say('list_found_size', values)
    : say('list_total', values);
}

/** Show what can be done with what is chosen. */
function patchDeeds(chosen) {
  $('selection-deeds').hidden = !chosen.length;
  $('selection-zip').href = API + zipPath(chosen.slice(0, MOST_IN_ZIP));
  $('selection-problem').textContent = chosen.length > MOST_IN_ZIP ? tooMany() : '';
}

/** Let the archive come, once at a time, when the server would make it. */
async function zip(event, tools) {
  const link = event.currentTarget;
  if (link.dataset.ready) return;
  event.preventDefault();
  const chosen = tools.selection.of(tools.store.documents);
  if (chosen.length > MOST_IN_ZIP) announce(tooMany(), { alert: true });
  else await busily(link, () => downloadZip(link, zipPath(chosen), tools));
}

const tooMany = () => say('list_zip_large', { most: MOST_IN_ZIP });

function zipPath(documents) {
  const query = new URLSearchParams(documents.map(({ id }) => ['id', id]));
  return `/api/documents/zip?${query}`;
}
