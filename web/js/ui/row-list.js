// The rows of the documents, in their order; the focus stays where somebody is.
import { makeDocument, patchDocument } from './document-row.js';
import { $ } from './dom.js';
import { showRows } from './keyed-list.js';

const CONTROLS = ['.pick', '.download', '.delete'];

/** Make `list` show `documents` in their order; `about` tells what else a row shows of its document. */
export function arrange(list, documents, about) {
  const patch = (row, document) => patchDocument(row, document, about(document));
  showRows(list, documents, { make: makeDocument, patch, heir: sameControl, rest: $('documents-h') });
}

/** Return what is in the row `above` the control that has the focus in its own. */
function sameControl(focused, above) {
  return above.querySelector(CONTROLS.find((control) => focused.matches(control)));
}
