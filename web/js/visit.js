// A visit to a file request, which its link lets in without an account: what is asked for, and whether it still is.
import { TIMING } from './config.js';
import { request } from './http.js';

/** Knows `state` (unknown, open, over, wrong, or none when the address lacks the secret), of an open request `title`,
 * `note`, `expiresAt` and `filesLeft`, and in `error` why it could not be asked or what has ended it; emits `change`. To
 * the queue it is the session; `asker` is what tells the server of it. */
export class Visit extends EventTarget {
  state = 'unknown';
  title = '';
  note = '';
  expiresAt = null;
  filesLeft = 0;
  error = null;
  active = true; // there is nothing that a visitor could sign in to
  #askedAt = 0;

  /** The `secret` goes into one header and nowhere else. */
  constructor(secret, { timing = TIMING } = {}) {
    super();
    this.timing = timing;
    this.asker = { credentials: 'omit', headers: () => ({ Authorization: `Bearer ${secret}` }) };
    if (!secret) this.state = 'none';
  }

  /** Tell whether the server has not said yet what the link is good for. */
  get isUnknown() {
    return this.state === 'unknown';
  }

  /** Tell whether the request was seen, though it may be over by now. */
  get isSeen() {
    return this.expiresAt !== null;
  }

  /** Ask again when the last answer is no longer fresh; raises ApiError, NetworkTrouble. */
  async refresh() {
    const isStale = Date.now() - this.#askedAt > this.timing.listFresh;
    if (this.state === 'open' && isStale) await this.look();
  }

  /** Ask what is asked for and whether it still is; raises ApiError, NetworkTrouble. */
  async look() {
    try {
      this.#open(await request('/api/request', { asker: this.asker }));
    } catch (error) {
      if (error.status !== 401) {
        this.#show({ error });
        throw error;
      }
      this.#end(error);
    }
  }

  /** Run `send`; raises what it raises. A refused secret is the end of the visit, and no other is tried. */
  async authorised(send) {
    try {
      return await send();
    } catch (error) {
      if (error.status === 401) this.#end(error);
      if (error.code === 'quota_exceeded') error.code = 'no_room'; // of somebody else's storage
      throw error;
    }
  }

  /** There is no session that could have ended unseen. */
  distrust() {}

  /** Note that a file has come, until the server is asked again. */
  count() {
    this.#show({ filesLeft: Math.max(0, this.filesLeft - 1) });
  }

  #open({ title, note, expiresAt, filesLeft }) {
    if (!this.isUnknown && this.state !== 'open') return; // an answer that its end has overtaken
    this.#askedAt = Date.now();
    this.#show({ state: 'open', title, note, expiresAt: new Date(expiresAt), filesLeft, error: null });
  }

  #end(error) {
    this.#show({ state: error.code === 'request_over' ? 'over' : 'wrong', error });
  }

  #show(facts) {
    Object.assign(this, facts);
    this.dispatchEvent(new Event('change'));
  }
}
