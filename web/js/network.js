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
    this.#flight ??= this.probe()
      .then((status) => this.note(status))
      .finally(() => {
        this.#flight = null;
      });
    return this.#flight;
  }

  /** Let the browser's hints lead to a question: one that was asked before the hint knows nothing of it. */
  heed(window) {
    const again = async () => {
      if (this.up || window.document.hidden) return;
      const isOld = this.#flight !== null;
      await this.check();
      if (isOld && !this.up) this.check();
    };
    window.addEventListener('offline', () => this.check());
    for (const type of ['online', 'visibilitychange']) window.addEventListener(type, again);
  }

  /** Note the status of any answer, or 0 for none. */
  note(status) {
    const before = this.up;
    clearTimeout(this.#timer);
    this.up = status !== 0;
    if (!this.up) this.#timer = setTimeout(() => this.check(), this.#untilProbe());
    this.#failures = this.up ? 0 : this.#failures + 1;
    if (this.up !== before) this.dispatchEvent(new Event('change'));
    return status;
  }

  #untilProbe() {
    const { probes } = this.timing;
    return probes[Math.min(this.#failures, probes.length - 1)];
  }
}
