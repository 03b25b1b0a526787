// What has been uploaded, as it is listed: read once, fresh for five minutes, kept up to date by what happens here.
import { TIMING } from './config.js';
import { beneath, freshOf, sizeOf, stillDeleting, without, withoutGone } from './document-lists.js';
import { request } from './http.js';
import { addressOf, finds, forget, PAGE, PLAIN, readBeginning, remember, remembered } from './listing.js';
import { OwnFiles } from './own-files.js';
import { SignedOut } from './session.js';

const EMPTY = { total: 0, totalBytes: 0, unseen: [], more: null, loadedAt: 0, fresh: null };

/** Knows which listing is `wanted` (listing.js), its `documents` as far as they are read, where there are `more` (the next
 * page's cursor, or null), the `total` of them and `totalBytes`, and what was stored since and is `unseen` in it;
 * since when it is `loading` and what it is `reading` ("list", "older"), whether that `failed`, `loadedAt`, and how many
 * were `fresh` then (null at first). Emits `change`, `removed` {document}, `narrowed` when a collector is none any more,
 * and `cleared`. */
export class DocumentStore extends EventTarget {
  documents = [];
  wanted = remembered();
  loading = 0;
  reading = '';
  failed = false;
  #listed = null; // which listing `documents` are of
  #own;
  #stale = false;
  #epoch = 0; // whose list it is, and which: an answer to a question of an older epoch is dropped
  #arrived = []; // while a list was on its way
  #gone = new Set(); // the ids of what was deleted meanwhile
  #last = Promise.resolve(); // the read that the next one waits for

  constructor({ session, channel, timing = TIMING }) {
    super();
    Object.assign(this, EMPTY, { session, channel, timing });
    this.#own = new OwnFiles(session);
    channel.addEventListener('message', ({ data }) => {
      this.#stale ||= data.type === 'documents-changed';
    });
    session.addEventListener('change', () => {
      if (session.active && this.wanted.everyones && !session.user.collector) this.#narrow();
    });
  }

  /** Read the list unless it is fresh. */
  ensure() {
    const fresh = this.loadedAt && !this.#stale && Date.now() - this.loadedAt < this.timing.listFresh;
    if (!fresh && !this.loading && this.session.active) this.load();
  }

  /** Read another list from its beginning; what is on its way of the one before is dropped. Resolves as `load` does. */
  look(changes) {
    this.wanted = { ...this.wanted, ...changes };
    remember(this.wanted);
    this.#epoch += 1;
    this.#last = Promise.resolve();
    return this.load();
  }

  /** Read the list again, as far as it is shown; resolves to how many documents were new, null if that failed, or
   * undefined if another list is wanted by now. What is far down is asked for only `ifGone`, when some of it may be. */
  load(ifGone = false) {
    return this.#inTurn(() => {
      this.#stale = false;
      return this.#read(
        'list',
        () => this.#beginning(ifGone),
        (page) => this.#acceptList(page),
      );
    });
  }

  /** Read the next page; resolves to how many documents came, null if that failed, or undefined as `load` does. */
  older() {
    return this.#inTurn(() => {
      if (this.more) return this.#readOlder();
      this.#show(this.documents, { loading: 0 }); // what was read before has brought all
      return 0;
    });
  }

  /** Return one's newest document of this name and size, or undefined. */
  namesake(file) {
    return this.#own.namesake(file, this.documents);
  }

  /** Return one's newest other document with the content of a stored file, or undefined. */
  sameContent(file) {
    return this.#own.sameContent(file, this.documents);
  }

  /** Put a file that was just stored on top, where it belongs; `file` is the upload's answer, the time is ours. */
  prepend(file) {
    if (!file) return this.load();
    const document = { ...file, uploadedAt: new Date().toISOString(), owner: this.session.user };
    this.#own.add(document);
    this.#arrived.unshift(document);
    this.#add([document]);
    this.channel.postMessage({ type: 'documents-changed' });
  }

  /** Delete a document; one that is gone already counts as deleted. Raises ApiError, NetworkTrouble, SignedOut. */
  async remove(document) {
    this.mark(document, { deleting: true, problem: undefined });
    try {
      await this.session.authorised(() => request(`/api/documents/${document.id}`, { method: 'DELETE' }));
    } catch (error) {
      this.mark(document, { deleting: false });
      if (error.status !== 404 || !(await this.#isGone(document))) throw error;
    }
    this.#drop(document);
    this.dispatchEvent(new CustomEvent('removed', { detail: { document } }));
    this.channel.postMessage({ type: 'documents-changed' });
  }

  /** Note what happens to a document, to be shown on its row. */
  mark(document, facts) {
    const listed = [...this.documents, ...this.#own.newest].filter(({ id }) => id === document.id);
    for (const one of [document, ...listed]) Object.assign(one, facts); // other objects since the list was read again
    this.#show(this.documents);
  }

  clear() {
    this.wanted = PLAIN;
    this.#listed = null;
    this.#own.newest = [];
    this.#epoch += 1;
    this.#last = Promise.resolve();
    forget();
    this.#show([], { ...EMPTY, reading: '', loading: 0, failed: false });
    this.dispatchEvent(new Event('cleared'));
  }

  get #isListed() {
    return this.#listed === this.wanted;
  }

  /** Read one after the other: answers that overtake each other would undo what is shown, or leave a hole. */
  #inTurn(read) {
    const epoch = this.#epoch;
    this.loading ||= performance.now();
    this.#last = this.#last.then(() => (epoch === this.#epoch ? read() : undefined));
    return this.#last;
  }

  #readOlder() {
    const accept = ({ documents, next, total, totalBytes }) => {
      const before = this.documents.length;
      const unseen = without(this.unseen, documents);
      this.#show([...this.documents, ...documents], { more: next, total, totalBytes, unseen });
      return this.documents.length - before;
    };
    return this.#read('older', () => this.#ask(PAGE, this.more), accept);
  }

  async #read(reading, ask, accept) {
    const epoch = this.#epoch;
    this.#arrived = [];
    this.#gone.clear();
    this.#show(this.documents, { reading, loading: performance.now(), failed: false });
    const outcome = { reading: '', loading: 0 };
    let count = null;
    try {
      const page = await ask();
      if (epoch !== this.#epoch) return undefined;
      count = accept(withoutGone(page, this.#gone));
    } catch (error) {
      if (epoch !== this.#epoch) return undefined;
      if (error.status === 403 && this.wanted.everyones) return this.#narrow();
      this.#stale = true;
      outcome.failed = !(error instanceof SignedOut);
      if (!this.#isListed) outcome.more = null; // it is another list's
    }
    this.#show(this.documents, outcome);
    return count;
  }

  /** Among the newest new ones come on top, and what is beneath the first page is known; else they come anywhere. */
  #beginning(ifGone) {
    const shown = this.#isListed ? this.documents.length : 0;
    const isWhole = ifGone || this.wanted.sort !== PLAIN.sort;
    return readBeginning(isWhole, shown, (limit, before) => this.#ask(limit, before));
  }

  #ask(limit, before) {
    return this.session.authorised(() => request(addressOf(this.wanted, limit, before)));
  }

  /** Show a new list, and beneath it what was read beyond its end: that is still there, and its cursor is good. */
  #acceptList({ documents, next, total, totalBytes }) {
    const known = this.#isListed ? this.documents : [];
    const found = freshOf(documents, known);
    const fresh = this.#isListed && this.loadedAt ? found : null;
    const older = next && this.wanted.sort === 'newest' ? beneath(documents.at(-1), known) : [];
    const more = older.length ? this.more : next;
    const listed = stillDeleting(documents, this.documents);
    this.#listed = this.wanted;
    this.#show([...listed, ...older], { more, total, totalBytes, fresh, loadedAt: Date.now(), unseen: [] });
    this.#add(without(this.#arrived, documents));
    return found;
  }

  /** Take in what was just stored: on top of the newest; in another order nobody knows where, and it is counted. */
  #add(stored) {
    const found = stored.filter((document) => finds(this.wanted, document));
    const isOnTop = this.wanted.sort === 'newest';
    this.#show(isOnTop ? [...found, ...this.documents] : this.documents, {
      total: this.total + found.length,
      totalBytes: this.totalBytes + sizeOf(found),
      unseen: isOnTop ? this.unseen : [...this.unseen, ...found],
    });
  }

  #drop(document) {
    const listed = this.documents.filter(({ id }) => id === document.id);
    this.#arrived = without(this.#arrived, [document]);
    this.#own.drop(document);
    this.#gone.add(document.id);
    this.#show(without(this.documents, [document]), {
      total: this.total - listed.length,
      totalBytes: this.totalBytes - sizeOf(listed),
    });
  }

  /** Tell whether a document that was not found is gone: somebody else's may be out of a former collector's reach. */
  async #isGone(document) {
    if (this.#own.has(document)) return true;
    this.session.distrust();
    await this.session.ensureFresh();
    return this.session.user.collector;
  }

  /** Go back to one's own documents: the session is asked what its user may see. */
  #narrow() {
    this.session.distrust();
    this.#listed = null;
    this.#show([], EMPTY);
    this.dispatchEvent(new Event('narrowed'));
    return this.look({ everyones: false });
  }

  #show(documents, facts = {}) {
    const unique = new Map(documents.map((document) => [document.id, document]));
    Object.assign(this, facts, { documents: [...unique.values()] });
    if (this.#isListed) this.#own.heed(this.wanted, this.documents);
    this.dispatchEvent(new Event('change'));
  }
}
