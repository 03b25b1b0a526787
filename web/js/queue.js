// The files on their way. Each row is PENDING, UPLOADING, SUCCESS, FAILED or CANCELLED; three upload at once.

import { TIMING, WORKERS } from './config.js';
import { deliver } from './delivery.js';
import { SignedOut } from './session.js';
import { typeOf, validate } from './validate.js';

const NEXT = {
  PENDING: ['UPLOADING', 'CANCELLED'],
  UPLOADING: ['SUCCESS', 'FAILED', 'CANCELLED', 'PENDING'],
  FAILED: ['PENDING'],
  CANCELLED: ['PENDING'],
  SUCCESS: [],
};

/** Tell whether a row waits or is on its way. */
export const isActive = ({ status }) => status === 'PENDING' || status === 'UPLOADING';

/** Tell whether a row can be tried again: not what was refused unsent, nor a file that is gone. */
export const canRetry = ({ status, refusal, error }) =>
  status === 'CANCELLED' || (status === 'FAILED' && !refusal && error?.code !== 'changed');

/**
 * Knows `items` by id. Emits `add` {items, duplicates}, `change` {item}, `remove` {ids}, `stored` {file}, and
 * `unsure` when a cancelled upload may have arrived. `send`, `session`, `network` and `timing` can be fakes.
 */
export class UploadQueue extends EventTarget {
  items = new Map();
  #adding = Promise.resolve();
  #turn = 0;

  constructor({ send, session, network, limits, timing = TIMING }) {
    super();
    this.tools = { send, session, network, limits, timing };
    session.addEventListener('change', () => this.#pump());
    network.addEventListener('change', () => (network.up ? this.#pump() : this.#recall()));
  }

  /** Add files in their order: `[{file, folder}]`. Those that cannot be sent become rows that say why. */
  add(candidates) {
    this.#adding = this.#adding.then(() => this.#add(candidates)).catch(reportError);
    return this.#adding;
  }

  /** Give rows up; what is on its way is aborted and the next ones start at once. */
  cancel(...items) {
    for (const item of items.filter(isActive)) {
      this.#stop(item, 'CANCELLED');
      if (item.sent) this.#emit('unsure');
    }
    this.#pump();
  }

  /** Queue rows again, behind all others, under the keys they had: what did arrive is not stored twice. */
  retry(...items) {
    for (const item of items.filter(canRetry)) {
      Object.assign(item, { turn: ++this.#turn, error: null });
      this.#to(item, 'PENDING');
    }
    this.#pump();
  }

  remove(...items) {
    for (const { id } of items) this.items.delete(id);
    if (items.length) this.#emit('remove', { ids: items.map(({ id }) => id) });
  }

  /** Forget everything: another account has signed in, or nobody has. */
  clear() {
    for (const item of this.all(isActive)) this.#stop(item, 'CANCELLED');
    this.remove(...this.all());
  }

  /** Return the rows of which `holds` is true. */
  all(holds = () => true) {
    return [...this.items.values()].filter(holds);
  }

  async #add(candidates) {
    const { session, limits } = this.tools;
    const { user } = session;
    const seen = new Set(this.all(isActive).map(({ file }) => fingerprint(file)));
    const [items, duplicates] = [[], []];
    for (const { file, folder } of candidates) {
      if (seen.has(fingerprint(file))) duplicates.push(file.name);
      else items.push(this.#item(file, folder ? 'folder' : ''));
      seen.add(fingerprint(file));
    }
    await Promise.all(items.map(async (item) => { item.refusal ||= await validate(item.file, limits); }));
    if (session.user?.id !== user?.id) return;
    for (const item of items) {
      item.status = item.refusal ? 'FAILED' : 'PENDING';
      this.items.set(item.id, item);
    }
    this.#emit('add', { items, duplicates });
    this.#pump();
  }

  /** Return a new row; reading the size pins the file as it is now. */
  #item(file, refusal) {
    const { mimetype } = typeOf(file.name, this.tools.limits) ?? {};
    const facts = { id: newId(), file, name: file.name.normalize('NFC'), size: file.size, mimetype, refusal };
    return { ...facts, turn: ++this.#turn, phase: '', loaded: 0, sent: false, error: null, retryAt: 0, run: null };
  }

  #pump() {
    const { session, network } = this.tools;
    const free = WORKERS - this.all(({ status }) => status === 'UPLOADING').length;
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

  #recall() {
    for (const item of this.all(({ status }) => status === 'UPLOADING')) this.#stop(item, 'PENDING');
  }

  #stop(item, status) {
    const { run } = item;
    item.run = null;
    this.#to(item, status);
    run?.abort();
  }

  #to(item, status) {
    if (!NEXT[item.status].includes(status)) throw new Error(`${item.status} cannot become ${status}.`);
    Object.assign(item, { status, phase: '', loaded: 0 });
    this.#emit('change', { item });
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const fingerprint = ({ name, size, lastModified }) => `${size}/${lastModified}/${name}`;

/** Return 128 random bits in hex; `crypto.randomUUID` is missing on plain http. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
