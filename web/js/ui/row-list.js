// The rows of the documents, in their order; the focus stays where somebody is.
import { makeDocument, patchDocument } from './document-row.js';
import { $, focusFirst } from './dom.js';
import { showRows } from './keyed-list.js';

/** Make `list` show `documents` in their order; `about` tells what else a row shows of its document. */
export function arrange(list, documents, about) {
  const next = heirOfFocus(list, documents);
  const patch = (row, document) => patchDocument(row, document, about(document));
  showRows(list, documents, { make: makeDocument, patch });
  if (next) focusFirst(next.control, $('documents-h'));
}

/** Where the row with the focus goes, return the same `control` of the nearest row above that stays, if there is one. */
function heirOfFocus(list, documents) {
  const wanted = new Set(documents.map(({ id }) => id));
  const focused = list.querySelector(':focus');
  const row = focused?.closest('li');
  if (!row || wanted.has(row.dataset.id)) return null;
  let above = row.previousElementSibling;
  while (above && !wanted.has(above.dataset.id)) above = above.previousElementSibling;
  return { control: above?.getElementsByClassName(focused.classList.item(0)).item(0) };
}
