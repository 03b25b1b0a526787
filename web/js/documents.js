// What has been uploaded, newest first: read once, fresh for five minutes, kept up to date by what happens here.
import { TIMING } from './config.js';
import { request } from './http.js';
import { SignedOut } from './session.js';

const PAGE = 50; // what is read at first
const MOST = 200; // what the server gives at once

/** Knows `documents`, where there are `more` (the next page's cursor, or null), since when it is `loading` and what it is
 * `reading` ("list", "older"), whether that `failed`, `loadedAt`, and how many were `fresh` then (null at first); emits `change`, and
 * `removed` {document}. */
export class DocumentStore extends EventTarget {
  documents = [];
  more = null;
  loading = 0;
  reading = '';
  failed = false;
  loadedAt = 0;
  fresh = null;
  #stale = false;
  #epoch = 0; // whose list it is: an answer to a question of an older epoch is dropped
  #arrived = []; // while a list was on its way
  #gone = new Set(); // the ids of what was deleted meanwhile
  #last = Promise.resolve(); // the read that the next one waits for

  constructor({ session, channel, timing = TIMING }) {
    super();
    Object.assign(this, { session, channel, timing });
    channel.addEventListener('message', ({ data }) => {
      this.#stale ||= data.type === 'documents-changed';
    });
  }

  /** Read the list unless it is fresh. */
  ensure() {
    const fresh = this.loadedAt && !this.#stale && Date.now() - this.loadedAt < this.timing.listFresh;
    if (!fresh && !this.loading && this.session.active) this.load();
  }

  /** Read the list again, as far as it is shown; resolves to how many documents were new, or null if that failed. */
  load() {
    return this.#inTurn(() => {
      this.#stale = false;
      const limit = Math.min(MOST, Math.max(PAGE, this.documents.length));
      return this.#read('list', `limit=${limit}`, (page, next) => this.#acceptList(page, next));
    });
  }

  /** Read the next older page; resolves to how many documents came, or null if that failed. */
  older() {
    return this.#inTurn(() => {
      if (this.more) return this.#readOlder();
      this.#show(this.documents, { loading: 0 }); // what was read before has brought all
      return 0;
    });
  }

  /** Return the newest document of this name and size, or undefined. */
  namesake({ name, size }) {
    return this.documents.find(
      (document) =>
        !document.deleting && document.size === size && document.filename.normalize('NFC') === name,
    );
  }

  /** Return the newest other document with the content of a stored file, or undefined. */
  sameContent({ id, sha256 }) {
    return this.documents.find((document) => document.id !== id && document.sha256 === sha256);
  }

  /** Put a file that was just stored on top; `file` is the upload's answer, the time is ours. */
  prepend(file) {
    if (!file) return this.load();
    const document = { ...file, uploadedAt: new Date().toISOString() };
    this.#arrived.unshift(document);
    this.#show([document, ...this.documents]);
    this.channel.postMessage({ type: 'documents-changed' });
  }

  /** Delete a document; one that is gone already counts as deleted. Raises ApiError, NetworkTrouble, SignedOut. */
  async remove(document) {
    this.mark(document, { deleting: true, problem: undefined });
    try {
      await this.session.authorised(() => request(`/api/documents/${document.id}`, { method: 'DELETE' }));
    } catch (error) {
      this.mark(document, { deleting: error.status === 404 });
      if (!document.deleting) throw error;
    }
    const others = ({ id }) => id !== document.id;
    this.#arrived = this.#arrived.filter(others);
    this.#gone.add(document.id);
    this.#show(this.documents.filter(others));
    this.dispatchEvent(new CustomEvent('removed', { detail: { document } }));
    this.channel.postMessage({ type: 'documents-changed' });
  }

  /** Note what happens to a document, to be shown on its row. */
  mark(document, facts) {
    const listed = this.documents.find(({ id }) => id === document.id); // another object since the list was read again
    for (const one of new Set([document, listed])) if (one) Object.assign(one, facts);
    this.#show(this.documents);
  }

  clear() {
    this.#epoch += 1;
    this.#last = Promise.resolve();
    this.#show([], { more: null, reading: '', loading: 0, failed: false, loadedAt: 0, fresh: null });
  }

  /** Read one after the other: answers that overtake each other would undo what is shown, or leave a hole. */
  #inTurn(read) {
    const epoch = this.#epoch;
    this.loading ||= performance.now();
    this.#last = this.#last.then(() => (epoch === this.#epoch ? read() : null));
    return this.#last;
  }

  #readOlder() {
    return this.#read('older', `limit=${PAGE}&before=${this.more}`, (page, more) => {
      const before = this.documents.length;
      this.#show([...this.documents, ...page], { more });
      return this.documents.length - before;
    });
  }

  async #read(reading, query, accept) {
    const epoch = this.#epoch;
    this.#arrived = [];
    this.#gone.clear();
    this.#show(this.documents, { reading, loading: performance.now(), failed: false });
    const outcome = { reading: '', loading: 0 };
    let count = null;
    try {
      const { documents, next } = await this.session.authorised(() => request(`/api/documents?${query}`));
      const page = documents.filter(({ id }) => !this.#gone.has(id));
      if (epoch === this.#epoch) count = accept(page, next);
    } catch (error) {
      this.#stale = true;
      outcome.failed = !(error instanceof SignedOut);
    }
    if (epoch === this.#epoch) this.#show(this.documents, outcome);
    return count;
  }

  /** Show a new list, and beneath it what was read beyond its end: that is still there, and its cursor is good. */
  #acceptList(page, next) {
    const found = this.#freshOf(page);
    const fresh = this.loadedAt ? found : null;
    const older = next ? this.#olderThan(page.at(-1)) : [];
    const listed = page.map((document) => this.#keepMark(document));
    const more = older.length ? this.more : next;
    this.#show([...this.#arrived, ...listed, ...older], { more, loadedAt: Date.now(), fresh });
    return found;
  }

  /** Return the known documents beneath `document`; none if that is unknown, for others may lie between. */
  #olderThan(document) {
    const at = this.documents.findIndex(({ id }) => id === document?.id);
    return at < 0 ? [] : this.documents.slice(at + 1);
  }

  /** Count the unknown documents above the last known one; those beneath only moved up into the page. */
  #freshOf(page) {
    const known = new Set(this.documents.map(({ id }) => id));
    const last = page.findLastIndex(({ id }) => known.has(id));
    const above = last < 0 ? page : page.slice(0, last);
    return above.filter(({ id }) => !known.has(id)).length;
  }

  /** A document that is just being deleted is so in the new list, too. */
  #keepMark(document) {
    const { deleting } = this.documents.find(({ id }) => id === document.id) ?? {};
    return deleting ? { ...document, deleting } : document;
  }

  #show(documents, facts = {}) {
    const unique = new Map(documents.map((document) => [document.id, document]));
    Object.assign(this, facts, { documents: [...unique.values()] });
    this.dispatchEvent(new Event('change'));
  }
}
