// What has been uploaded, newest first: read once, fresh for five minutes, kept up to date by what happens here.
import { TIMING } from './config.js';
import { request } from './http.js';
import { SignedOut } from './session.js';

const PAGE = 50; // what is read at first
const MOST = 200; // what the server gives at once

/** Knows `documents`, where there are `more` (the next page's cursor, or null), since when it is `loading`, whether
 * that `failed`, and `loadedAt`; emits `change`. */
export class DocumentStore extends EventTarget {
  documents = [];
  more = null;
  loading = 0;
  failed = false;
  loadedAt = 0;
  #stale = false;
  #epoch = 0; // whose list it is: an answer to a question of an older epoch is dropped
  #arrived = []; // while a list was on its way

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

  /** Read the list again, as far as it is shown. */
  load() {
    this.#arrived = [];
    this.#stale = false;
    const limit = Math.min(MOST, Math.max(PAGE, this.documents.length));
    return this.#read(`limit=${limit}`, (page) =>
      this.#show([...this.#arrived, ...page], { loadedAt: Date.now() }),
    );
  }

  /** Read the next older page. */
  older() {
    const query = `limit=${PAGE}&before=${this.more}`;
    return this.#read(query, (page) => this.#show([...this.documents, ...page]));
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
    this.#show(this.documents.filter(others));
    this.channel.postMessage({ type: 'documents-changed' });
  }

  /** Note what happens to a document, to be shown on its row. */
  mark(document, facts) {
    Object.assign(document, facts);
    this.#show(this.documents);
  }

  clear() {
    this.#epoch += 1;
    this.#show([], { more: null, loading: 0, failed: false, loadedAt: 0 });
  }

  async #read(query, accept) {
    const epoch = this.#epoch;
    this.#show(this.documents, { loading: performance.now(), failed: false });
    const outcome = { loading: 0 };
    try {
      const { documents, next } = await this.session.authorised(() => request(`/api/documents?${query}`));
      if (epoch === this.#epoch) accept(documents);
      outcome.more = next;
    } catch (error) {
      this.#stale = true;
      outcome.failed = !(error instanceof SignedOut);
    }
    if (epoch === this.#epoch) this.#show(this.documents, outcome);
  }

  #show(documents, facts = {}) {
    const unique = new Map(documents.map((document) => [document.id, document]));
    Object.assign(this, facts, { documents: [...unique.values()] });
    this.dispatchEvent(new Event('change'));
  }
}
