// The one door to the network for everything but uploads, and the errors that both doors raise.
import { API, TIMING } from './config.js';

/** Whether the API is another origin, whose cookie this page cannot read. */
export const FOREIGN = API !== '' && new URL(API, location.href).origin !== location.origin;

/** What is told of every request: that the server answered it, or that nobody did. */
export const traffic = { answered() {}, missed() {} };

/** The server refused: `status`, its stable `code`, its sentence in `told`, and `retryAfter` in seconds. */
export class ApiError extends Error {
  constructor(status, body, retryAfter = 0) {
    super(body?.message ?? `The server answered ${status}.`);
    Object.assign(this, { status, retryAfter, code: body?.error ?? '', told: body?.message ?? '' });
  }
}

/** There was no answer, or none of ours. */
export class NetworkTrouble extends Error {
  code = 'network';
}

/** An upload did not move for too long. */
export class Stalled extends NetworkTrouble {
  code = 'stall';
}

/** Return the session's CSRF token as it is now; it changes with every sign-in and refresh, in all tabs at once. */
export function csrfToken() {
  if (FOREIGN) return localStorage.getItem('csrf_token') ?? '';
  return /(?:^|; )csrf_token=([^;]*)/.exec(document.cookie)?.[1] ?? '';
}

/** Keep the token of an answer where no cookie can be read. */
export function keepCsrfToken(token) {
  if (FOREIGN) localStorage.setItem('csrf_token', token);
}

/** Who asks, by default: whoever is signed in on this page, by the cookies and, where something changes, the CSRF token. */
export const SESSION = {
  credentials: 'include',
  headers: (method) => (method === 'GET' ? {} : { 'X-CSRF-Token': csrfToken() }),
};

/** Who asks for what everybody may know: nobody in particular. */
export const NOBODY = { credentials: 'omit', headers: () => ({}) };

/** Return the body of a good answer; raise ApiError for a refusal, NetworkTrouble for a page that is not ours. */
export function judge(status, body, retryAfter) {
  if (status < 400 && body?.ok !== true) throw new NetworkTrouble(); // a captive portal
  if (status < 500) traffic.answered(); // not a proxy on its behalf
  if (status >= 400) throw new ApiError(status, body, seconds(retryAfter));
  return body;
}

/** Send one request and return the answer's body; raise ApiError or NetworkTrouble. */
export async function request(
  path,
  { method = 'GET', json, timeout = TIMING.request, asker = SESSION } = {},
) {
  const token = csrfToken();
  const headers = asker.headers(method);
  if (json) headers['Content-Type'] = 'application/json';
  try {
    const options = { method, headers, credentials: asker.credentials, signal: AbortSignal.timeout(timeout) };
    const answer = await fetch(API + path, { ...options, body: json && JSON.stringify(json) });
    const body = judge(answer.status, await bodyOf(answer, method), answer.headers.get('Retry-After'));
    if (body.csrfToken && token === csrfToken()) keepCsrfToken(body.csrfToken); // no other tab was quicker
    return body;
  } catch (error) {
    if (error instanceof ApiError) throw error;
    traffic.missed();
    throw new NetworkTrouble();
  }
}

/** Delete what is at `path`; what is gone already counts as deleted. Raises ApiError, NetworkTrouble. */
export async function remove(path) {
  try {
    await request(path, { method: 'DELETE' });
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/** Return what was answered, or null if that is none of ours; HEAD asks for no more than the status. */
function bodyOf(answer, method) {
  if (method === 'HEAD' && answer.ok) return { ok: true };
  return answer.json().catch(() => null);
}

/** Return the seconds that a Retry-After header asks for, a number or a date (RFC 9110 §10.2.3). */
function seconds(header) {
  const value = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Math.max(0, Math.ceil(value) || 0);
}
