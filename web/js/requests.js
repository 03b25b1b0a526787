// What is asked for by a link: the requests of whoever is signed in, newest first, and how many files have come.
import { TIMING } from './config.js';
import { remove, request } from './http.js';
import { SignedOut } from './session.js';

const PATH = '/api/requests';

/** Knows `requests` with their links, since when they are `loading`, the `failure` of that, and `loadedAt`; emits
 * `change`. */
export class RequestStore extends EventTarget {
  requests = [];
  loading = 0;
  failure = null;
  loadedAt = 0;
  #stale = false;
  #changes = 0; // what was made and ended here: an answer to an older question knows nothing of it
  #reading = null;

  constructor({ session, timing = TIMING }) {
    super();
    Object.assign(this, { session, timing });
  }

  /** Read the list unless it is fresh. */
  ensure() {
    const doubtful = this.#stale || this.failure !== null;
    const fresh = this.loadedAt && !doubtful && Date.now() - this.loadedAt < this.timing.minute;
    if (!fresh && this.session.active) this.load();
  }

  /** Let the list count as old: it was changed elsewhere. */
  distrust() {
    this.#stale = true;
  }

  /** Read the list again. */
  load() {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** Make a request of `{ title, note, expiresInDays, maxFiles }` and return it. Raises ApiError, NetworkTrouble,
   * SignedOut. */
  async make(wanted) {
    const { ok: _, ...made } = await this.#send(() => request(PATH, { method: 'POST', json: wanted }));
    this.#noteChange([made, ...this.requests]);
    return made;
  }

  /** End a request; one that is gone already counts as ended. Raises ApiError, NetworkTrouble, SignedOut. */
  async end({ id }) {
    await this.#send(() => remove(`${PATH}/${id}`));
    this.#noteChange(this.requests.filter((other) => other.id !== id));
  }

  /** Of what gets no answer nobody knows whether it was done. */
  async #send(send) {
    try {
      return await this.session.authorised(send);
    } catch (error) {
      this.#stale ||= error.status === undefined;
      throw error;
    }
  }

  #noteChange(requests) {
    this.#changes += 1;
    this.#show({ requests });
    this.session.channel.postMessage({ type: 'requests-changed' });
  }

  async #read() {
    this.#stale = false;
    this.#show({ loading: performance.now(), failure: null });
    try {
      this.#show({ requests: await this.#ask(), loading: 0, loadedAt: Date.now() });
    } catch (error) {
      this.#show({ loading: 0, failure: error instanceof SignedOut ? null : error });
    }
  }

  /** Ask until nothing was made or ended between the question and its answer. */
  async #ask() {
    for (;;) {
      const changes = this.#changes;
      const { requests } = await this.session.authorised(() => request(PATH));
      if (changes === this.#changes) return requests;
    }
  }

  #show(facts) {
    Object.assign(this, facts);
    this.dispatchEvent(new Event('change'));
  }
}
