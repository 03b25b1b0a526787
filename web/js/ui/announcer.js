// What is said to those who do not see the page: one polite voice, one urgent, neither chattering.
import { TIMING } from '../config.js';
import { $ } from './dom.js';
import { notice } from './notices.js';

/** One live region. It says every urgent text, of the others the latest, once the window has the focus. */
class Voice {
  #next = '';
  #spokenAt = -Infinity;
  #timer = 0;
  #clearing = 0;

  constructor(element, urgent) {
    this.element = element;
    this.urgent = urgent;
    addEventListener('focus', () => {
      if (this.#next) this.#wait(TIMING.speakAfterFocus);
    });
  }

  say(text) {
    this.#next = this.urgent && this.#next ? `${this.#next} ${text}` : text;
    if (this.urgent || document.hasFocus()) this.#wait(0);
  }

  #wait(least) {
    const gap = this.#spokenAt + TIMING.speakGap - performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#speak(), Math.max(least, gap));
  }

  #speak() {
    this.element.textContent = this.#next;
    this.#next = '';
    this.#spokenAt = performance.now();
    clearTimeout(this.#clearing); // an emptied region can say the same again
    this.#clearing = setTimeout(() => this.element.replaceChildren(), TIMING.speakClear);
  }
}

const polite = new Voice($('announcer-status'), false);
const urgent = new Voice($('announcer-alert'), true);

/** Say `text`. An alert waits for nothing and is never dropped; what the page shows nowhere else is `seen` too. */
export function announce(text, { alert = false, seen = false } = {}) {
  const voice = alert ? urgent : polite;
  voice.say(text);
  if (seen) notice(text, { alert });
}
