// One row of the documents: a file that has arrived, to download or to delete.
import { API } from '../config.js';
import { bytes, when } from '../format.js';
import { FOREIGN } from '../http.js';
import { phrase, say } from '../words.js';
import { clone, write } from './dom.js';
import { isolate, writeName } from './names.js';

/** Return a new row for a document; `patchDocument` fills in what changes. */
export function makeDocument({ id, filename, sender, via }) {
  const row = clone('document-template');
  const name = writeName(row, filename);
  row.dataset.id = id;
  row.querySelector('.origin').replaceChildren(...origin(sender, via));
  row.querySelector('.pick').ariaLabel = say('list_select', { name });
  row.querySelector('.delete').ariaLabel = say('delete_name', { name });
  for (const link of row.querySelectorAll('.download')) {
    link.ariaLabel = say('download_name', { name });
    link.href = `${API}/api/documents/${id}/content`;
    if (FOREIGN) link.target = '_blank'; // where `download` means nothing; an answer that is no file opens elsewhere
  }
  return row;
}

/** Show in `row` what is true of a document now: whether it is `chosen`, and whose it is where there are `everyones`. */
export function patchDocument(row, { size, uploadedAt, deleting, problem, owner }, { chosen, everyones }) {
  const about = `${bytes(size)} · ${when(new Date(uploadedAt))}`;
  write(row.querySelector('.meta'), deleting ? say('deleting') : about);
  write(row.querySelector('.problem'), problem ?? '');
  row.querySelector('.problem').hidden = !problem;
  write(row.querySelector('.owner'), everyones ? (owner?.email ?? '') : '');
  row.querySelector('.pick').checked = chosen;
  row.toggleAttribute('data-chosen', chosen);
}

/** Return where a document came from, as texts and nodes: from whom, for which request, or by which token. */
function origin(sender, via) {
  const nodes = {
    sender: isolate(sender ?? ''),
    request: isolate(via?.request ?? ''),
    token: isolate(via?.token ?? ''),
  };
  nodes.sender.className = 'sender';
  if (via?.token) return phrase('list_by_token', nodes);
  if (sender && via?.request) return phrase('list_from_for', nodes);
  if (via?.request) return phrase('list_for', nodes);
  return sender ? phrase('list_from', nodes) : [];
}
