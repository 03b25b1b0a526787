// How files come in: chosen, dropped anywhere on the page, or pasted.
import { bytes } from '../format.js';
import { typesText } from '../reasons.js';
import { say } from '../words.js';
import { $ } from './dom.js';
import { mountDragging } from './dragging.js';
import { unfoldChosen } from './folders.js';

/** Say what may come in; to the file dialog by extension and by type, for iOS greys files out on extensions alone. */
export function sayLimits(limits) {
  const { types, maxFileBytes } = limits;
  const accepted = [...types.map(({ extension }) => extension), ...types.map(({ mimetype }) => mimetype)];
  $('hint').textContent = say('hint', { types: typesText(limits), size: bytes(maxFileBytes) });
  $('files').accept = accepted.join();
}

/** Hand what comes in to `onFiles` as the queue adds it while it is `open()`; `limits` says what may. */
export function mountDropzone({ open, limits, onFiles }) {
  mountChooser($('choose'), $('files'), (files) => onFiles(files.map((file) => ({ file }))));
  mountChooser($('choose-folder'), $('folder'), (files) => onFiles(unfoldChosen(files)));
  $('choose-folder').hidden = !('webkitdirectory' in HTMLInputElement.prototype);
  document.addEventListener('paste', (event) => {
    const pasted = Array.from(event.clipboardData?.files ?? [], (file) => ({ file }));
    const writing = event.target.closest?.('input, textarea, [contenteditable]');
    if (!pasted.length || !open() || writing) return;
    event.preventDefault();
    onFiles(pasted);
  });
  mountDragging({ open, limits, onFiles });
}

/** Let `button` open the dialog of `input`, and hand over what is chosen in it. */
function mountChooser(button, input, onChosen) {
  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const files = [...input.files];
    input.value = ''; // so that the same file can be chosen again
    button.focus();
    if (files.length) onChosen(files);
  });
}
