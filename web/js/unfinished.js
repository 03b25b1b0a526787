// What an earlier page left unsent: offered to its owner, unless another tab is at it.
import { pause } from './clock.js';
import { TIMING } from './config.js';
import { printOf } from './item.js';

/** Knows the `rows` on offer, in their old order; emits `change`. Tabs tell each other which files are theirs. One that
 * is too busy to answer costs a file that is sent twice; stored it is once, for it goes under the same key. */
export class Unfinished extends EventTarget {
  rows = [];
  #elsewhere = new Set(); // ids of the files that other tabs have
  #look = null; // the latest, which counts

  /** `channel` is one that hears this page's own session, too. */
  constructor({ kept, keeper, queue, session, channel, timing = TIMING }) {
    super();
    Object.assign(this, { kept, keeper, queue, session, channel, timing });
    channel.addEventListener('message', ({ data }) => this.#hear(data));
  }

  /** Look for files that nobody sends. */
  async look() {
    if (!this.session.active) return;
    const look = Symbol('look');
    this.#look = look;
    const { id: user } = this.session.user;
    let rows = await this.kept.load(user);
    if (rows.some(({ id }) => !this.keeper.has(id))) {
      await this.#callRoll();
      rows = await this.#stillKept(rows, user);
    }
    if (look === this.#look && this.session.user?.id === user) this.#show(rows);
  }

  /** Add files to the queue, as it does. One that is on offer, and was chosen instead, is resumed. */
  add(candidates) {
    return this.#send(Promise.resolve(candidates).then((files) => this.#recognise(files)));
  }

  /** Send what is on offer, under the old ids: what did arrive is not stored again. */
  async resume() {
    const { rows } = this;
    if (!rows.length) return;
    this.#adopt(rows);
    await this.#send(rows.map(({ id, file, held }) => ({ id, file, held })));
  }

  /** Give up what is on offer; resolves to how many files that were. */
  async discard() {
    const ids = this.rows.map(({ id }) => id);
    this.#take(this.rows);
    await this.kept.drop(ids);
    return ids.length;
  }

  /** Offer nothing to whoever comes next. */
  clear() {
    this.#look = null;
    this.#show([]);
  }

  /** Return `candidates`; those that are on offer get their old ids, and are so no longer. */
  #recognise(candidates) {
    const offered = this.#byPrint();
    const found = [];
    const known = candidates.map((candidate) => {
      const row = offered.get(printOf(candidate.file))?.shift();
      if (!row) return candidate;
      found.push(row);
      return { ...candidate, id: row.id, held: row.held };
    });
    this.#adopt(found);
    return known;
  }

  /** Return the rows on offer by the prints of their files, which several can share. */
  #byPrint() {
    const rows = new Map();
    for (const row of this.rows) {
      const print = printOf(row.file);
      if (!rows.has(print)) rows.set(print, []);
      rows.get(print).push(row);
    }
    return rows;
  }

  async #send(candidates) {
    await this.queue.add(candidates);
    const ids = (await candidates).map(({ id }) => id);
    const isMissing = (id) => !this.queue.items.has(id); // the same file is in the queue already
    this.keeper.letGo(...ids.filter(isMissing));
  }

  #adopt(rows) {
    if (rows.length) this.keeper.adopt(rows);
    this.#take(rows);
  }

  /** Offer `rows` no longer, here and in the other tabs. */
  #take(rows) {
    if (!rows.length) return;
    const ids = new Set(rows.map(({ id }) => id));
    this.#look = null;
    this.channel.postMessage({ type: 'my-files', ids: [...ids] });
    this.#show(this.rows.filter(({ id }) => !ids.has(id)));
  }

  #show(rows) {
    this.rows = rows.filter(({ id }) => !this.keeper.has(id) && !this.#elsewhere.has(id));
    this.dispatchEvent(new Event('change'));
  }

  /** Give the other tabs time to name their files. */
  async #callRoll() {
    this.#elsewhere.clear();
    this.channel.postMessage({ type: 'whose-files' });
    await pause(this.timing.rollCall);
  }

  /** Return those of `rows` that nobody has let go meanwhile; what came meanwhile nobody was asked about. */
  async #stillKept(rows, user) {
    const kept = await this.kept.load(user);
    const ids = new Set(kept.map(({ id }) => id));
    return rows.filter(({ id }) => ids.has(id));
  }

  #hear({ type, ids, user }) {
    if (type === 'whose-files') this.channel.postMessage({ type: 'my-files', ids: this.keeper.ids });
    if (type === 'signed-out' && this.rows.some((row) => row.user === user.id)) this.clear();
    if (type !== 'my-files') return;
    for (const id of ids) this.#elsewhere.add(id);
    if (this.rows.length) this.#show(this.rows);
  }
}
