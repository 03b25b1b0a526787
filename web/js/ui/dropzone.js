// How files come in: chosen, dropped anywhere on the page, or pasted.

import { TIMING } from '../config.js';
import { bytes, count } from '../format.js';
import { typesText } from '../words.js';
import { announce } from './announcer.js';
import { $ } from './dom.js';

const EDITABLE = 'input, textarea, [contenteditable]';

/** Hand what comes in to `onFiles([{file, folder}])` while `open()`; `limits` says what may. */
export function mountDropzone({ open, limits, onFiles }) {
  choosing(onFiles);
  dragging({ open, limits, onFiles });
  document.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !open() || event.target.closest?.(EDITABLE) || document.querySelector('dialog[open]')) return;
    event.preventDefault();
    onFiles(files.map((file) => ({ file })));
  });
}

/** Say what may come in; to the file dialog by extension and by type, for iOS greys files out on extensions alone. */
export function sayLimits(limits) {
  const { types, maxFileBytes } = limits;
  $('hint').textContent = `${typesText(limits)} · up to ${bytes(maxFileBytes)} each`;
  $('files').accept = [...types.map((type) => type.extension), ...types.map((type) => type.mimetype)].join();
}

function choosing(onFiles) {
  const [button, input] = [$('choose'), $('files')];
  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const chosen = [...input.files].map((file) => ({ file }));
    input.value = ''; // so that the same file can be chosen again
    button.focus();
    if (chosen.length) onFiles(chosen);
  });
}

function dragging({ open, limits, onFiles }) {
  const zone = $('zone');
  let entered = false; // dragenter of the next element comes before dragleave of the last
  let watchdog = 0;

  function show(verdict) {
    if ((zone.dataset.drag ?? '') === verdict) return;
    if (verdict) zone.dataset.drag = verdict;
    else delete zone.dataset.drag;
    announce(verdict ? 'Drop zone entered' : 'Drop zone left');
  }

  function over(event) {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    const welcome = open() && !document.querySelector('dialog[open]');
    event.dataTransfer.dropEffect = welcome ? 'copy' : 'none';
    if (!welcome) return;
    clearTimeout(watchdog);
    watchdog = setTimeout(() => show(''), TIMING.dragGone);
    if (event.type === 'dragover' && zone.dataset.drag) return;
    const items = [...event.dataTransfer.items].filter((item) => item.kind === 'file');
    const bad = items.length > 0 && items.every(({ type }) => type && !limits.types.some((t) => t.mimetype === type));
    $('verdict').textContent = bad ? `These files can't be added. ${typesText(limits)} only.`
      : `Drop to add ${items.length ? count(items.length) : 'files'}`;
    show(bad ? 'bad' : 'ok');
  }

  document.addEventListener('dragenter', (event) => { entered = true; over(event); });
  document.addEventListener('dragover', (event) => { entered = false; over(event); });
  document.addEventListener('dragleave', () => {
    if (!entered) show('');
    entered = false;
  });
  document.addEventListener('drop', (event) => {
    clearTimeout(watchdog);
    show('');
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    if (open() && !document.querySelector('dialog[open]')) onFiles(dropped(event.dataTransfer));
  });
}

/** Return what was dropped; only during the event can a folder be told from a file. */
function dropped({ items, files }) {
  const entries = [...items].filter((item) => item.kind === 'file');
  if (!entries.length) return [...files].map((file) => ({ file }));
  return entries.map((item) => ({ file: item.getAsFile(), folder: item.webkitGetAsEntry?.()?.isDirectory ?? false }));
}
