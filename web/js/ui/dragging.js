// Files dragged over the page and dropped on it: anywhere, and the zone says what a drop would do.
import { TIMING } from '../config.js';
import { typesText } from '../reasons.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { $ } from './dom.js';
import { gather, unfold } from './folders.js';

const holdsFiles = (event) => event.dataTransfer?.types.includes('Files');

// WebKitGTK hands files over as a list of addresses, and opens the first in place of the page unless that is kept.
const LISTS_FILES = /AppleWebKit(?!.*Chrom)/.test(navigator.userAgent);
const LINK = ['text/html', 'text/x-moz-url']; // come with a link, never with a file

/** Tell whether files may be meant, but come as addresses only; which ones is not known before the drop. */
function listsFiles({ dataTransfer }) {
  const types = dataTransfer?.types ?? [];
  if (!LISTS_FILES || types.includes('Files')) return false;
  return types.includes('text/uri-list') && !LINK.some((type) => types.includes(type));
}

/** Hand what is dropped to `onFiles` as the queue adds it, or a promise of that, while the page is `open()`. */
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
    if (open()) onFiles(unfold(gather(event.dataTransfer)));
  });
  keepPage(open);
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

/** Where a browser hands no files over, keep the page and say so; what is dragged within the page is no file. */
function keepPage(open) {
  let ours = false;
  document.addEventListener('dragstart', () => {
    ours = true;
  });
  document.addEventListener('dragend', () => {
    ours = false;
  });
  for (const type of ['dragenter', 'dragover', 'drop']) {
    document.addEventListener(type, (event) => {
      if (ours || !listsFiles(event)) return;
      event.preventDefault();
      const isLink = /^https?:/i.test(event.dataTransfer.getData('text/uri-list'));
      if (type === 'drop' && open() && !isLink) announce(say('drop_unreadable'), { alert: true, seen: true });
    });
  }
}
