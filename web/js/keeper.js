// Keeps the queue's unfinished files in the browser while this page sends them, and lets them go once they are done.
import { TIMING } from './config.js';
import { isHeld, isOpen } from './item.js';

const AT_ONCE = 20; // written in one transaction: what is uploaded before its turn comes is never written
const MOST = 2 * 1024 ** 3; // bytes that one page may fill the disk with

/** Knows the files that are this page's to send, and in `unkept` whether one of them will not outlive the page; emits
 * `change` when that changes. It is so until no file is left. */
export class Keeper extends EventTarget {
  unkept = false;
  #user = null; // whose files they are
  #mine = new Map(); // by id, their {size, held}
  #going = new Set(); // ids of those that are let go, but lie in the browser still
  #todo = new Map(); // by id, the row to keep, or null to let it go
  #work = Promise.resolve();
  #timer = 0;

  /** `channel` must hear this page's own session, too. */
  constructor({ kept, queue, session, channel, timing = TIMING }) {
    super();
    Object.assign(this, { kept, session, timing });
    queue.addEventListener('add', ({ detail }) => this.#heed(...detail.items));
    queue.addEventListener('change', ({ detail }) => this.#heed(detail.item));
    queue.addEventListener('remove', ({ detail }) => this.letGo(...detail.ids));
    session.addEventListener('change', () => {
      if (session.active) this.#heed(...queue.all());
    });
    channel.addEventListener('message', ({ data }) => {
      if (data.type === 'signed-out') this.#empty(data.user.id);
    });
  }

  /** The ids of the files that are this page's to send, or to let go. */
  get ids() {
    return [...this.#mine.keys(), ...this.#going];
  }

  /** Tell whether a file is this page's to send, or to let go. */
  has(id) {
    return this.#mine.has(id) || this.#going.has(id);
  }

  /** Take over rows that are kept already. */
  adopt(rows) {
    this.#user = this.session.user.id;
    for (const { id, file, held } of rows) this.#mine.set(id, { size: file.size, held });
  }

  /** Let files go that need not be sent any more. */
  letGo(...ids) {
    for (const id of ids) {
      if (!this.#mine.delete(id)) continue;
      this.#going.add(id);
      this.#plan(id, null);
    }
    this.#tell(this.unkept && this.#mine.size > 0);
  }

  /** Leave everything as it is kept, for its owner: somebody else takes over this page. */
  release() {
    this.#mine.clear();
    this.#tell(false);
  }

  #heed(...items) {
    for (const item of items) {
      if (!isOpen(item)) this.letGo(item.id);
      else if (this.#mine.get(item.id)?.held !== isHeld(item) && this.session.user) this.#keep(item);
    }
  }

  /** Keep a row, or that it is held back no longer. */
  #keep(item) {
    const { id, file, turn, size } = item;
    const held = isHeld(item);
    this.#user = this.session.user.id;
    this.#mine.set(id, { size, held });
    this.#plan(id, { id, file, turn, held, user: this.#user, added: Date.now() });
  }

  /** Note what is to be done; a file that gets through at once is not worth writing. */
  #plan(id, row) {
    this.#todo.set(id, row);
    if (!this.#timer) this.#timer = setTimeout(() => this.#begin(), this.timing.keep);
  }

  #begin() {
    this.#timer = 0;
    this.#work = this.#work.then(() => this.#write());
  }

  async #write() {
    while (this.#todo.size) {
      const batch = [...this.#todo].slice(0, AT_ONCE);
      for (const [id] of batch) this.#todo.delete(id);
      await this.#drop(batch.filter(([, row]) => !row).map(([id]) => id));
      await this.#store(batch.map(([, row]) => row).filter(Boolean));
    }
  }

  async #drop(ids) {
    await this.kept.drop(ids);
    for (const id of ids) this.#going.delete(id);
  }

  async #store(rows) {
    const fit = this.#size() > MOST ? [] : rows;
    const safe = fit.length ? await this.kept.keep(fit) : [];
    if (rows.some(({ id }) => this.#mine.has(id) && !safe.includes(id))) this.#tell(true);
  }

  #tell(unkept) {
    if (unkept === this.unkept) return;
    this.unkept = unkept;
    this.dispatchEvent(new Event('change'));
  }

  #size() {
    return [...this.#mine.values()].reduce((total, { size }) => total + size, 0);
  }

  /** Let everything go that is kept for `user`, who has signed out; files that wait here are kept again after a sign-in. */
  #empty(user) {
    if (user === this.#user) this.release();
    for (const [id, row] of this.#todo) {
      if (row?.user === user) this.#todo.delete(id);
    }
    this.#work = this.#work.then(() => this.kept.empty(user));
  }
}
