// Files dragged over the page and dropped on it: anywhere, and the zone says what a drop would do.
import { TIMING } from '../config.js';
import { typesText } from '../reasons.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { $ } from './dom.js';

const holdsFiles = (event) => event.dataTransfer?.types.includes('Files');

/** Hand what is dropped to `onFiles([{file, folder}])` while the page is `open()`. */
export function mountDragging({ open, limits, onFiles }) {
  const zone = $('zone');
  let entered = false; // the next element's dragenter comes before the last one's dragleave
  let watchdog = 0;

  function show(verdict) {
    clearTimeout(watchdog);
    if (verdict) watchdog = setTimeout(show, TIMING.dragGone, '');
    if (zone.dataset.drag === verdict) return;
    if (!verdict) announce(say('drop_left'));
    else if (!zone.dataset.drag) announce(say('drop_entered'));
    zone.dataset.drag = verdict;
  }

  function over(event) {
    entered = event.type === 'dragenter';
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = open() ? 'copy' : 'none';
    if (open()) show(zone.dataset.drag || judge(event.dataTransfer, limits));
  }

  document.addEventListener('dragenter', over);
  document.addEventListener('dragover', over);
  document.addEventListener('dragleave', () => {
    if (!entered) show('');
    entered = false;
  });
  document.addEventListener('drop', (event) => {
    show('');
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (open()) onFiles(dropped(event.dataTransfer));
  });
}

/** Say what a drop would do. "bad" only if no file can be right: names and sizes are not known before the drop. */
function judge({ items }, limits) {
  const files = [...items].filter(({ kind }) => kind === 'file');
  const known = limits.types.map(({ mimetype }) => mimetype);
  const isRefused = ({ type }) => type && !known.includes(type);
  const bad = known.length > 0 && files.length > 0 && files.every(isRefused);
  $('verdict').textContent = bad
    ? say('drop_refused', { types: typesText(limits) })
    : say('drop_to_add', { count: files.length });
  return bad ? 'bad' : 'ok';
}

/** Return what was dropped; only during the event can a folder be told from a file. */
function dropped({ items, files }) {
  const entries = [...items].filter(({ kind }) => kind === 'file');
  if (!entries.length) return Array.from(files, (file) => ({ file }));
  return entries.map((item) => ({
    file: item.getAsFile(),
    folder: item.webkitGetAsEntry?.()?.isDirectory ?? false,
  }));
}
