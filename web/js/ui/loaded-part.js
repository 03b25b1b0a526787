// A part of a page whose content is fetched: it says that it loads, or why it could not, and tries again.
import { TIMING } from '../config.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { clone } from './dom.js';

/** Keep the section `part` as the server says: `read` asks it, `show` writes the answer, until `signal` aborts. What
 * failed is tried again when the session or the connection is back. Return how to load it anew. */
export function mountLoaded(part, { read, show }, { session, network, limits, signal }) {
  const notes = clone('loading-template');
  const content = part.querySelector('.content');
  const failure = notes.querySelector('.bad');
  const waiting = notes.querySelector('.loading');
  let latest = 0; // only the last answer counts

  async function load() {
    latest += 1;
    const mine = latest;
    const isStale = () => mine !== latest || signal.aborted;
    const timer = setTimeout(() => {
      waiting.hidden = !content.hidden;
    }, TIMING.loadingText);
    try {
      const answer = await session.authorised(read);
      if (isStale()) return;
      failure.hidden = true;
      content.hidden = false;
      show(answer);
    } catch (error) {
      if (!isStale()) complain(error);
    } finally {
      clearTimeout(timer);
      if (!isStale()) waiting.hidden = true;
    }
  }

  function complain(error) {
    const text = say('part_failed', { reason: reasonOf(error, limits) });
    failure.querySelector('p').textContent = text;
    failure.hidden = false;
    if (!(error instanceof SignedOut)) announce(text, { alert: true });
  }

  function again() {
    part.querySelector('h2').focus(); // the button goes while it tries
    failure.hidden = true;
    load();
  }

  content.after(notes);
  failure.querySelector('button').addEventListener('click', again, { signal });
  network.addEventListener('change', () => network.up && !failure.hidden && load(), { signal });
  session.addEventListener('change', () => session.active && load(), { signal });
  load();
  return load;
}

/** Return why something that needs a session could not be done. */
export function reasonOf(error, limits) {
  return error instanceof SignedOut ? say('signed_out_meanwhile') : failureText(error, limits);
}
