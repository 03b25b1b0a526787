// How files come in: chosen, dropped anywhere on the page, or pasted.
import { bytes } from '../format.js';
import { typesText } from '../reasons.js';
import { say } from '../words.js';
import { $ } from './dom.js';
import { mountDragging } from './dragging.js';

/** Say what may come in; to the file dialog by extension and by type, for iOS greys files out on extensions alone. */
export function sayLimits(limits) {
  const { types, maxFileBytes } = limits;
  const accepted = [...types.map(({ extension }) => extension), ...types.map(({ mimetype }) => mimetype)];
  $('hint').textContent = say('hint', { types: typesText(limits), size: bytes(maxFileBytes) });
  $('files').accept = accepted.join();
}

/** Hand what comes in to `onFiles([{file, folder}])` while it is `open()`; `limits` says what may. */
export function mountDropzone({ open, limits, onFiles }) {
  $('choose').addEventListener('click', () => $('files').click());
  $('files').addEventListener('change', ({ target }) => {
    const chosen = Array.from(target.files, (file) => ({ file }));
    target.value = ''; // so that the same file can be chosen again
    $('choose').focus();
    if (chosen.length) onFiles(chosen);
  });
  document.addEventListener('paste', (event) => {
    const pasted = Array.from(event.clipboardData?.files ?? [], (file) => ({ file }));
    const writing = event.target.closest?.('input, textarea, [contenteditable]');
    if (!pasted.length || !open() || writing) return;
    event.preventDefault();
    onFiles(pasted);
  });
  mountDragging({ open, limits, onFiles });
}
