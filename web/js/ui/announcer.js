// What is said to those who do not see the page: one polite voice, one urgent, neither chattering.

import { TIMING } from '../config.js';
import { $ } from './dom.js';

/** Say `text`; an alert at once and never dropped, anything else when the window has the focus, the latest only. */
export function announce(text, { alert = false } = {}) {
  voices ??= { polite: new Voice($('announcer-status'), false), urgent: new Voice($('announcer-alert'), true) };
  voices[alert ? 'urgent' : 'polite'].say(text);
}

let voices = null;

class Voice {
  #element;
  #urgent;
  #next = '';
  #timer = 0;
  #spoken = -Infinity;
  #clearing = 0;

  constructor(element, urgent) {
    [this.#element, this.#urgent] = [element, urgent];
    addEventListener('focus', () => { if (this.#next) this.#wait(TIMING.speakAfterFocus); });
  }

  say(text) {
    this.#next = this.#urgent && this.#next ? `${this.#next} ${text}` : text;
    if (this.#urgent || document.hasFocus()) this.#wait(0);
  }

  #wait(least) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#speak(), Math.max(least, this.#spoken + TIMING.speakGap - performance.now()));
  }

  #speak() {
    this.#element.textContent = this.#next;
    [this.#next, this.#spoken] = ['', performance.now()];
    clearTimeout(this.#clearing); // an emptied voice can say the same again
    this.#clearing = setTimeout(() => { this.#element.textContent = ''; }, TIMING.speakClear);
  }
}
