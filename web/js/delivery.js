// How one file gets through: sent in a fresh session, and again after what passes. Raises what does not pass.
import { pause } from './clock.js';
import { NetworkTrouble } from './http.js';

/** Send `item` until there is an answer that counts, and return it. `report(phase, loaded, error, retryAt)` tells
 * "sending", "finishing", "retrying". Raises ApiError, NetworkTrouble, SignedOut, "changed" if the file is gone. */
export async function deliver(item, { send, session, network, limits, timing, signal, report }) {
  const onProgress = (loaded, sent) => report(sent ? 'finishing' : 'sending', loaded);
  const attempt = () => {
    signal.throwIfAborted();
    report('sending', 0);
    return send(item, { signal, onProgress, timing });
  };
  for (let tries = 0; ; tries += 1) {
    try {
      return await session.authorised(attempt);
    } catch (error) {
      signal.throwIfAborted();
      if (error.status === 413) await limits.read().catch(() => {}); // they are no longer those that were read
      const unanswered = error instanceof NetworkTrouble || [502, 503, 504].includes(error.status); // or by a proxy
      if (unanswered) await diagnose(item, session, network);
      const delay = delayBefore(tries, error, timing);
      report('retrying', 0, error, Date.now() + delay);
      await pause(delay);
      signal.throwIfAborted();
    }
  }
}

/** Find out what a missing answer means: a file that is gone, a lost connection, an ended session, or bad luck. */
async function diagnose(item, session, network) {
  if (!(await isReadable(item.file))) throw Object.assign(new Error(), { code: 'changed' });
  if ((await network.check()) === 401) session.distrust();
}

async function isReadable(file) {
  const firstByte = file.slice(0, 1).arrayBuffer();
  return firstByte.then(
    () => true,
    () => false,
  );
}

/** Return the milliseconds until the next try, or raise `error` when there is none. */
function delayBefore(tries, error, { retries, jitter }) {
  const { status, retryAfter = 0 } = error;
  const passing = error instanceof NetworkTrouble || status === 429 || (status >= 500 && status !== 507);
  if (!passing || tries >= retries.length) throw error;
  const spread = 1 + jitter * (2 * Math.random() - 1);
  return Math.max(retries[tries] * spread, retryAfter * 1000);
}
