// How fast a batch moves, and how long the rest of it takes.

const WINDOW = 10_000; // milliseconds that the speed is averaged over
const WARM_UP = 2_000; // before that nothing is told
const STALLED = 5_000; // nothing moved for so long: what was true is no news any more

/** Measures by what it is told with `note`. Times are milliseconds of one clock. */
export class Pace {
  #marks = []; // {at, moved}
  #moved = 0;
  #carried = 0;
  #startedAt = 0;
  #movedAt = 0;

  /** Note that `carried` bytes are there at the moment `at`; fewer than before is no way back, only a new try. */
  note(at, carried) {
    if (!this.#marks.length) this.#start(at, carried);
    const onward = Math.max(0, carried - this.#carried);
    if (onward) this.#movedAt = at;
    this.#moved += onward;
    this.#carried = carried;
    this.#marks.push({ at, moved: this.#moved });
    while (this.#marks[1].at <= at - WINDOW) this.#marks.shift();
  }

  /** Return the bytes in a second at the moment `at`, or 0 while that cannot be told. */
  speed(at) {
    if (!this.#marks.length || at - this.#startedAt < WARM_UP || at - this.#movedAt > STALLED) return 0;
    const [first] = this.#marks;
    return at > first.at ? (1000 * (this.#moved - first.moved)) / (at - first.at) : 0;
  }

  /** Return the milliseconds that `left` bytes still take at the moment `at`, or 0 while that cannot be told. */
  timeLeft(at, left) {
    const speed = this.speed(at);
    return speed > 0 ? (1000 * left) / speed : 0;
  }

  /** Forget all: another batch begins. */
  reset() {
    this.#marks = [];
    this.#moved = 0;
  }

  #start(at, carried) {
    this.#startedAt = at;
    this.#movedAt = at;
    this.#carried = carried;
    this.#marks.push({ at, moved: 0 });
  }
}
