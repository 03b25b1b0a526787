// The rows of the documents, in their order; the focus stays where somebody is.

import { makeDocument, patchDocument } from './document-row.js';
import { $, focusFirst } from './dom.js';

/** Make `list` show `documents` in their order, and move no row that need not move: it may have the focus. `about` tells
 * what else a row shows of its document. */
export function arrange(list, rows, documents, about) {
  removeOthers(rows, documents);
  let next = list.firstElementChild;
  for (const document of documents) {
    const row = rows.get(document.id) ?? makeDocument(document);
    rows.set(document.id, row);
    patchDocument(row, document, about(document));
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
}

/** Take out the rows of all but `documents`; the focus of one that goes moves to the row above it that stays. */
function removeOthers(rows, documents) {
  const wanted = new Set(documents.map(({ id }) => id));
  const leaving = [...rows].filter(([id]) => !wanted.has(id));
  const focused = leaving.map(([, row]) => row).find((row) => row.matches(':focus-within'));
  const heir = focused && heirOf(focused, wanted);
  for (const [id, row] of leaving) {
    row.remove();
    rows.delete(id);
  }
  if (focused) focusFirst(heir, $('documents-h'));
}

/** Return the same control of the nearest row above that stays, if there is one. */
function heirOf(row, wanted) {
  const control = row.querySelector(':focus').classList.item(0);
  let above = row.previousElementSibling;
  while (above && !wanted.has(above.dataset.id)) above = above.previousElementSibling;
  return above?.getElementsByClassName(control).item(0);
}
