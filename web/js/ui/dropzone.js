// How files come in: chosen, dropped anywhere on the page, or pasted.
import { TIMING } from '../config.js';
import { bytes, count } from '../format.js';
import { typesText } from '../words.js';
import { announce } from './announcer.js';
import { $ } from './dom.js';

/** Say what may come in; to the file dialog by extension and by type, for iOS greys files out on extensions alone. */
export function sayLimits(limits) {
  $('hint').textContent = `${typesText(limits)} · up to ${bytes(limits.maxFileBytes)} each`;
  $('files').accept = ['extension', 'mimetype'].flatMap((key) => limits.types.map((type) => type[key])).join();
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
    if (!pasted.length || !open() || event.target.closest?.('input, textarea, [contenteditable]')) return;
    event.preventDefault();
    onFiles(pasted);
  });
  mountDragging({ open, limits, onFiles });
}

function mountDragging({ open, limits, onFiles }) {
  const zone = $('zone');
  let [entered, watchdog] = [false, 0]; // the next element's dragenter comes before the last one's dragleave

  const show = (verdict) => {
    clearTimeout(watchdog);
    if (verdict) watchdog = setTimeout(show, TIMING.dragGone, '');
    if (zone.dataset.drag === verdict) return;
    if (!verdict || !zone.dataset.drag) announce(`Drop zone ${verdict ? 'entered' : 'left'}`);
    zone.dataset.drag = verdict;
  };
  const over = (event) => {
    entered = event.type === 'dragenter';
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = open() ? 'copy' : 'none';
    if (open()) show(zone.dataset.drag || judge(event.dataTransfer, limits));
  };
  document.addEventListener('dragenter', over);
  document.addEventListener('dragover', over);
  document.addEventListener('dragleave', () => { if (!entered) show(''); entered = false; });
  document.addEventListener('drop', (event) => {
    show('');
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    if (open()) onFiles(dropped(event.dataTransfer));
  });
}

/** Say what a drop would do. "bad" only if no file can be right: names and sizes are not known before the drop. */
function judge({ items }, { types }) {
  const files = [...items].filter(({ kind }) => kind === 'file');
  const known = types.map(({ mimetype }) => mimetype);
  const bad = known.length && files.length && files.every(({ type }) => type && !known.includes(type));
  const refusal = `These files can't be added. ${typesText({ types })} only.`;
  $('verdict').textContent = bad ? refusal : `Drop to add ${count(files.length)}`;
  return bad ? 'bad' : 'ok';
}

/** Return what was dropped; only during the event can a folder be told from a file. */
function dropped({ items, files }) {
  const entries = [...items].filter(({ kind }) => kind === 'file');
  if (!entries.length) return Array.from(files, (file) => ({ file }));
  return entries.map((item) => ({ file: item.getAsFile(), folder: item.webkitGetAsEntry?.()?.isDirectory ?? false }));
}
