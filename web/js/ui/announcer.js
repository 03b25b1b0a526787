// What is said to those who do not see the page: one polite voice, one urgent, neither chattering.
import { TIMING } from '../config.js';
import { $ } from './dom.js';

/** Return a function that says a text: every urgent one, of the others the latest once the window has the focus. */
function voice(element, urgent) {
  let [next, spoken, timer, clearing] = ['', -Infinity, 0, 0];
  const speak = () => {
    element.textContent = next;
    [next, spoken] = ['', performance.now()];
    clearTimeout(clearing); // an emptied voice can say the same again
    clearing = setTimeout(() => { element.textContent = ''; }, TIMING.speakClear);
  };
  const wait = (least) => {
    clearTimeout(timer);
    timer = setTimeout(speak, Math.max(least, spoken + TIMING.speakGap - performance.now()));
  };
  addEventListener('focus', () => { if (next) wait(TIMING.speakAfterFocus); });
  return (text) => {
    next = urgent && next ? `${next} ${text}` : text;
    if (urgent || document.hasFocus()) wait(0);
  };
}

const [polite, urgent] = [voice($('announcer-status'), false), voice($('announcer-alert'), true)];

/** Say `text`. An alert waits for nothing and is never dropped. */
export const announce = (text, { alert = false } = {}) => (alert ? urgent : polite)(text);
