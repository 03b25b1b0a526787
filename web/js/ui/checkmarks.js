// The checkboxes of the documents' rows: one by one, or with Shift a range, by the pointer and by the keyboard.
import { sizeOf } from '../document-lists.js';
import { bytes } from '../format.js';
import { say } from '../words.js';
import { announce } from './announcer.js';

/** Let the checkboxes in `list` choose the store's documents. */
export function mountCheckmarks(list, store, selection) {
  let isRange = false; // a change does not tell which keys are held

  function touch(box, chosen) {
    const id = box.closest('li').dataset.id;
    const document = store.documents.find((one) => one.id === id);
    selection.touch(document, chosen, isRange ? store.documents : []);
    if (isRange) tellSelected(store, selection);
    isRange = false;
  }

  list.addEventListener('keydown', (event) => {
    isRange = isOnBox(event); // a Shift of the pointer's may have come to nothing
    if (!isRange) return;
    event.preventDefault(); // not all browsers take it for a click
    if (!event.repeat) touch(event.target, !event.target.checked);
  });
  list.addEventListener('keyup', (event) => {
    if (isOnBox(event)) event.preventDefault();
  });
  list.addEventListener('mousedown', (event) => {
    const box = event.target.closest('.pick');
    isRange = event.shiftKey && box !== null;
    if (!isRange) return;
    event.preventDefault(); // else the names between are selected as texts
    box.focus();
  });
  list.addEventListener('change', ({ target }) => touch(target, target.checked));
}

const isOnBox = ({ key, shiftKey, target }) => key === ' ' && shiftKey && target.matches('.pick');

/** Say how much is chosen; of a single one its checkbox tells. */
export function tellSelected(store, selection) {
  announce(selectedText(selection.of(store.documents)));
}

/** Return how much is chosen: "3 selected · 4.2 MB". */
export const selectedText = (documents) =>
  say('list_selected', { count: documents.length, size: bytes(sizeOf(documents)) });
