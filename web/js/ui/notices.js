// What has just happened and shows nowhere else: a line at the bottom of the window, for some seconds.
import { TIMING } from '../config.js';
import { $, clone } from './dom.js';

const MOST = 3; // at a time
const timers = new Map(); // of the notices that show

/** Show `text` until it has been there to read for a while, or is clicked away. It is spoken elsewhere. */
export function notice(text, { alert = false } = {}) {
  const same = [...timers.keys()].find((shown) => shown.textContent.trim() === text);
  if (same) dismiss(same);
  const element = clone('notice-template');
  element.querySelector('span').textContent = text;
  element.querySelector('.icon').toggleAttribute('hidden', !alert);
  element.addEventListener('click', () => dismiss(element));
  $('notices').append(element);
  count(element);
  const tooMany = [...timers.keys()].slice(0, -MOST);
  tooMany.forEach(dismiss);
  uncover();
}

/** Let a notice's time run from the beginning; not while the pointer rests on any, for they move, nor in a hidden tab. */
function count(element) {
  clearTimeout(timers.get(element));
  const waits = document.hidden || $('notices').matches(':hover');
  timers.set(element, waits ? 0 : setTimeout(dismiss, TIMING.notice, element));
}

function dismiss(element) {
  clearTimeout(timers.get(element));
  timers.delete(element);
  element.remove();
}

/** The focus comes out from under the notices: the style sheet keeps their place free when something scrolls. */
function uncover() {
  const focused = document.activeElement;
  if (!timers.size || focused.matches('body, main')) return;
  const { top, bottom } = focused.getBoundingClientRect();
  const covered = top < innerHeight && bottom > $('notices').getBoundingClientRect().top;
  if (covered) focused.scrollIntoView({ block: 'nearest' });
}

const countAll = () => [...timers.keys()].forEach(count);
for (const type of ['mouseenter', 'mouseleave']) $('notices').addEventListener(type, countAll);
document.addEventListener('visibilitychange', countAll);
document.addEventListener('focusin', uncover);
