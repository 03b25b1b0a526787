// One row of the documents: a file that has arrived, to download or to delete.
import { API } from '../config.js';
import { bytes, when } from '../format.js';
import { FOREIGN } from '../http.js';
import { say } from '../words.js';
import { clone } from './dom.js';
import { writeName } from './names.js';

/** Return a new row for a document; `patchDocument` fills in what changes. */
export function makeDocument({ id, filename }) {
  const row = clone('document-template');
  const name = writeName(row, filename);
  row.dataset.id = id;
  row.querySelector('.delete').ariaLabel = say('delete_name', { name });
  for (const link of row.querySelectorAll('.download')) {
    link.ariaLabel = say('download_name', { name });
    link.href = `${API}/api/documents/${id}/content`;
    if (FOREIGN) link.target = '_blank'; // where `download` means nothing; an answer that is no file opens elsewhere
  }
  return row;
}

/** Show in `row` what is true of a document now. */
export function patchDocument(row, { size, uploadedAt, deleting, problem }) {
  const about = `${bytes(size)} · ${when(new Date(uploadedAt))}`;
  write(row.querySelector('.meta'), deleting ? say('deleting') : about);
  write(row.querySelector('.problem'), problem ?? '');
  row.querySelector('.problem').hidden = !problem;
}

/** A text that stays as it is must not be spoken or selected anew. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
