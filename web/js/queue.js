// The files on their way. Each row is PENDING, UPLOADING, SUCCESS, FAILED or CANCELLED; three upload at once.
import { pause } from './clock.js';
import { TIMING } from './config.js';
import { deliver } from './delivery.js';
import {
  advance,
  canRetry,
  firstStatus,
  foldRefused,
  isActive,
  isHeld,
  isThrottled,
  isUploading,
  newItem,
} from './item.js';
import { SignedOut } from './session.js';
import { validate } from './validate.js';

const WORKERS = 3; // uploads in flight at once
const AT_ONCE = 50; // files looked into before the page draws breath: each is opened
const NONE = { namesake: () => undefined, sameContent: () => undefined };

/** Knows `items` by id, and how many files are `coming`: they are looked into. Emits `coming`, `add` {items, duplicates},
 * `change` {item}, `remove` {ids}, `stored` {file}, and `unsure` when a cancelled upload may have arrived. `documents`
 * tells what is stored already. All tools can be fakes. */
export class UploadQueue extends EventTarget {
  items = new Map();
  coming = 0;
  #turn = 0;
  #epoch = 0; // whose queue it is: what came in an older epoch is dropped
  #adding = Promise.resolve();

  constructor({ send, session, network, limits, documents = NONE, timing = TIMING }) {
    super();
    this.tools = { send, session, network, limits, documents, timing };
    network.addEventListener('change', () => network.up || this.#stop('PENDING', ...this.all(isUploading)));
    for (const store of [session, network]) store.addEventListener('change', () => this.#pump());
  }

  /** How many files are neither stored nor given up; what failed is no news. */
  get waiting() {
    return this.coming + this.all((item) => isActive(item) || isHeld(item)).length;
  }

  /** Add files in their order: `[{file, from, refusal, id, held}]`, or a promise of it. Those that cannot be sent become
   * rows that say why, those of one folder, `from`, share a row; one that seems to be stored already is held back until
   * it is tried again. One that is resumed has its `id`, and may be held back only if it was `held`. */
  add(candidates) {
    const epoch = this.#epoch;
    this.#adding = this.#adding.then(async () => this.#add(await candidates, epoch)).catch(reportError);
    this.#count(candidates, this.#adding);
    return this.#adding;
  }

  /** Give rows up; what is on its way is aborted and the next ones start at once. */
  cancel(...items) {
    this.#stop('CANCELLED', ...items.filter(isActive));
    if (items.some((item) => item.sent && item.status === 'CANCELLED')) this.#emit('unsure');
    this.#pump();
  }

  /** Queue rows again, behind all others, under the keys they had: what did arrive is not stored twice. */
  retry(...items) {
    for (const item of items.filter(canRetry)) {
      Object.assign(item, { turn: ++this.#turn, error: null, twin: undefined });
      this.#to(item, 'PENDING');
    }
    this.#pump();
  }

  /** Let rows that wait, also for another try, fail at once: nothing more is taken, as `error` says. */
  refuse(error) {
    const items = this.all((item) => item.status === 'PENDING' || isThrottled(item));
    for (const item of items) item.error = error;
    this.#stop('FAILED', ...items);
  }

  /** A document is gone: a row that was held back on its account is only cancelled from now on. */
  release(document) {
    for (const item of this.all(({ twin }) => twin?.id === document.id)) {
      item.twin = undefined;
      this.#emit('change', { item });
    }
  }

  remove(...items) {
    for (const { id } of items) this.items.delete(id);
    if (items.length) this.#emit('remove', { ids: items.map(({ id }) => id) });
  }

  /** Forget everything: another account has signed in, or nobody has. */
  clear() {
    this.#epoch += 1;
    this.#stop('CANCELLED', ...this.all(isActive));
    this.remove(...this.all());
  }

  /** Return the rows of which `holds` is true. */
  all(holds = () => true) {
    return [...this.items.values()].filter(holds);
  }

  /** Count `candidates` as coming until they are `added`; a folder is one until it is read. */
  #count(candidates, added) {
    let counted = 0;
    const count = (now) => {
      this.coming += now - counted;
      counted = now;
      this.#emit('coming');
    };
    count(1);
    Promise.resolve(candidates).then(
      ({ length }) => count(length),
      () => {},
    );
    added.then(() => count(0));
  }

  async #add(candidates, epoch) {
    const { limits, documents } = this.tools;
    const seen = new Set(this.all(isActive).map((item) => item.print)); // not these: folders may hold two alike
    const items = [];
    const duplicates = [];
    const check = async ({ file, from, refusal, id, held = !id }) => {
      if (this.items.has(id)) return;
      const item = Object.assign(newItem(file, limits, id), { from });
      if (seen.has(item.print)) {
        duplicates.push(file.name);
        return;
      }
      items.push(item);
      item.turn = ++this.#turn;
      item.refusal = refusal ?? (await validate(file, limits));
      if (!item.refusal && held) item.twin = documents.namesake(item); // what was on its way may be its own twin
      item.status = firstStatus(item);
    };
    for (let at = 0; at < candidates.length; at += AT_ONCE) {
      await Promise.all(candidates.slice(at, at + AT_ONCE).map(check));
      await pause(0);
    }
    if (epoch !== this.#epoch) return;
    const shown = foldRefused(items, limits);
    for (const item of shown) this.items.set(item.id, item);
    this.#emit('add', { items: shown, duplicates });
    this.#pump();
  }

  #pump() {
    const { session, network } = this.tools;
    const free = WORKERS - this.all(isUploading).length;
    if (free <= 0 || !session.active || !network.up) return;
    const waiting = this.all(({ status }) => status === 'PENDING').sort((a, b) => a.turn - b.turn);
    for (const item of waiting.slice(0, free)) this.#work(item);
  }

  async #work(item) {
    const run = new AbortController();
    const mine = () => item.run === run; // not cancelled or recalled meanwhile
    Object.assign(item, { run, sent: false });
    this.#to(item, 'UPLOADING');
    try {
      const report = (...news) => mine() && this.#report(item, ...news);
      const file = await deliver(item, { ...this.tools, signal: run.signal, report });
      if (!mine()) return;
      item.same = file && this.tools.documents.sameContent(file);
      this.#to(item, 'SUCCESS');
      this.#emit('stored', { file });
    } catch (error) {
      if (!mine()) return;
      item.error = error;
      const waits = error instanceof SignedOut || !this.tools.network.up;
      this.#to(item, waits ? 'PENDING' : 'FAILED');
      if (!waits && error.code === undefined) reportError(error);
    }
    this.#pump();
  }

  #report(item, phase, loaded, error = null, retryAt = 0) {
    const onward = loaded ? Math.max(item.loaded, loaded) : 0;
    Object.assign(item, { phase, error, retryAt, loaded: onward, sent: item.sent || phase === 'finishing' });
    this.#emit('change', { item });
  }

  #stop(status, ...items) {
    for (const item of items) {
      const { run } = item;
      item.run = null;
      this.#to(item, status);
      run?.abort();
    }
  }

  #to(item, status) {
    advance(item, status);
    this.#emit('change', { item });
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
