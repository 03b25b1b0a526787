// Whether the server can be reached. `navigator.onLine` only hints when to ask; an answer decides.

import { TIMING } from './config.js';

/** Knows `up`; emits `change`. `probe()` resolves to the status of an answer, or 0 when there is none. */
export class Network extends EventTarget {
  up = true;
  #flight = null;
  #timer = 0;
  #failures = 0;

  constructor({ probe, timing = TIMING }) {
    super();
    Object.assign(this, { probe, timing });
  }

  /** Ask once, however many want to know, and return the status; a lost connection is asked for again and again. */
  check() {
    this.#flight ??= this.#ask().finally(() => { this.#flight = null; });
    return this.#flight;
  }

  /** Note that the server answered something. */
  answered() {
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#set(true);
  }

  /** Let the browser's hints lead to a question. */
  heed(window) {
    const again = () => this.up || window.document.hidden || this.check();
    window.addEventListener('offline', () => this.check());
    window.addEventListener('online', again);
    window.document.addEventListener('visibilitychange', again);
  }

  async #ask() {
    const status = await this.probe();
    if (status) this.answered();
    else this.#lost();
    return status;
  }

  #lost() {
    const { probes } = this.timing;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), probes[Math.min(this.#failures, probes.length - 1)]);
    this.#failures += 1;
    this.#set(false);
  }

  #set(up) {
    const changed = this.up !== up;
    this.up = up;
    if (changed) this.dispatchEvent(new Event('change'));
  }
}
