// Who is signed in, and one refresh at a time: in this tab by one promise, across tabs by a Web Lock or the cookie.
import { pause } from './clock.js';
import { TIMING } from './config.js';
import { ApiError, csrfToken, FOREIGN, keepCsrfToken, NetworkTrouble, request } from './http.js';

/** Nobody is signed in, or somebody else than before; the page asks for the password. */
export class SignedOut extends Error {}

/** Ask whose session this is; the server's cheapest answer, and so the network's probe too. */
export const verifyStatus = () =>
  request('/api/auth/verify-status', { method: 'POST', timeout: TIMING.probe });

/** Knows `state` (unknown, active, out), `user` ({id, email, collector}), and in `reason` why it ended (ended, left,
 * other). Emits `change`, `needed` when something cannot go on without a session, and `user` before another account
 * takes over. The CSRF token names the generation: it changes with every refresh, for all tabs. */
export class Session extends EventTarget {
  state = 'unknown';
  user = null;
  reason = '';
  #known = ''; // the generation that is known to be this user's
  #expires = 0;
  #identifying = null;
  #refreshing = null;

  constructor({ channel, timing = TIMING }) {
    super();
    Object.assign(this, { channel, timing });
    channel.addEventListener('message', ({ data }) => this.#hear(data));
  }

  get active() {
    return this.state === 'active';
  }

  /** Find out who is signed in, if anybody; raise NetworkTrouble. */
  async check() {
    if (!FOREIGN && !csrfToken()) this.#end('left');
    else await this.#identify().catch(unlessSignedOut);
  }

  /** Return the generation once the session will last for one more request; raise SignedOut, NetworkTrouble. */
  async ensureFresh() {
    if (this.active && csrfToken() !== this.#known) await this.#identify();
    if (this.active && this.#expires - Date.now() < this.timing.margin) {
      await this.#renew(csrfToken());
      await this.#identify();
    }
    if (this.active) return csrfToken();
    this.dispatchEvent(new Event('needed'));
    throw new SignedOut();
  }

  /** Ask the server before the next request: it may have ended the session. */
  distrust() {
    this.#known = '';
  }

  /** Run `send` in a fresh session, and once more after a 401 and a refresh; a wrong password is no ended session. */
  async authorised(send) {
    for (let renewed = false; ; renewed = true) {
      const seen = await this.ensureFresh();
      try {
        return await send();
      } catch (error) {
        if (error.status !== 401 || error.code === 'invalid_credentials') throw error;
        if (renewed) this.#end('ended');
        else await this.#renew(seen);
      }
    }
  }

  /** Sign in; another account than before empties the stores first. Raises ApiError, NetworkTrouble. */
  async signIn(email, password) {
    const body = await request('/api/auth/login', { method: 'POST', json: { email, password } });
    if (!csrfToken()) throw new ApiError(0, { error: 'no_cookie' });
    if (this.user && this.user.id !== body.user.id) this.dispatchEvent(new Event('user'));
    this.#activate(body.user, body);
    this.channel.postMessage({ type: 'signed-in', user: body.user });
  }

  /** Sign out here and in every tab; raise NetworkTrouble or ApiError, and stay signed in, when that cannot be. */
  async signOut() {
    await this.authorised(() => request('/api/auth/logout', { method: 'POST' })).catch(unlessSignedOut);
    keepCsrfToken('');
    this.channel.postMessage({ type: 'signed-out', user: this.user });
    this.forget();
  }

  /** Let the sign-in page be shown instead of asking for this user's password. */
  forget() {
    this.#end('left', null);
  }

  #identify() {
    this.#identifying ??= this.#ask().finally(() => {
      this.#identifying = null;
    });
    return this.#identifying;
  }

  async #ask() {
    const seen = csrfToken();
    const body = await verifyStatus().catch(async (error) => {
      if (error.status !== 401) throw error;
      await this.#renew(seen);
      return verifyStatus();
    });
    const user = { id: body.userId, email: body.email, collector: body.collector };
    const stranger = () => this.user && this.user.id !== user.id;
    if (stranger()) this.#end('other'); // whoever hears it may forget the user
    if (stranger()) throw new SignedOut();
    this.#activate(user, body);
  }

  #activate(user, body) {
    this.#known = body.csrfToken;
    this.#expires = Date.now() + body.expiresIn * 1000;
    const { id, collector } = this.user ?? {};
    if (this.active && id === user.id && collector === user.collector) return;
    Object.assign(this, { user, state: 'active', reason: '' });
    this.dispatchEvent(new Event('change'));
  }

  #end(reason, user = this.user) {
    Object.assign(this, { state: 'out', reason, user });
    this.dispatchEvent(new Event('change'));
  }

  async #renew(seen) {
    this.#refreshing ??= this.#locked(() => this.#refresh(seen)).finally(() => {
      this.#refreshing = null;
    });
    if (await this.#refreshing) return;
    if (this.state !== 'out') this.#end('ended');
    throw new SignedOut();
  }

  /** Run `refresh` while no other tab does. The time-out ends the wait only; a lock is never stolen. */
  async #locked(refresh) {
    if (!navigator.locks) return refresh(); // plain http in a local network
    let granted = false;
    const once = () => {
      granted = true;
      return refresh();
    };
    const signal = AbortSignal.timeout(this.timing.lock);
    return navigator.locks.request('session-refresh', { signal }, once).catch((error) => {
      if (granted) throw error;
      return refresh();
    });
  }

  /** Refresh unless another tab has since `seen`; return whether there is a session. Raises NetworkTrouble. */
  async #refresh(seen) {
    const overtaken = () => csrfToken() !== '' && csrfToken() !== seen;
    if (overtaken() || !csrfToken()) return overtaken();
    try {
      await request('/api/auth/refresh', { method: 'POST', timeout: this.timing.refresh });
      return true;
    } catch ({ status = 500 }) {
      if (status === 429 || status >= 500) throw new NetworkTrouble();
    }
    const deadline = performance.now() + this.timing.lostRace; // without locks another tab may have won
    while (performance.now() < deadline && !overtaken()) await pause(50);
    return overtaken();
  }

  #hear({ type, user }) {
    const mine = !this.user || this.user.id === user?.id;
    if (type === 'signed-out' && this.active && mine) this.#end('left');
    if (type === 'signed-in' && (this.active || mine)) this.#identify().catch(() => {});
  }
}

function unlessSignedOut(error) {
  if (!(error instanceof SignedOut)) throw error;
}
