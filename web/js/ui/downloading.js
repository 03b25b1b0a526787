// Downloads: a link is let go only when it is sure to bring a file, for a refusal would be a download that just fails.
import { request } from '../http.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { say } from '../words.js';
import { announce } from './announcer.js';

/** Let the link of a document go when the session is sure to last. */
export async function download(event, link, session) {
  if (link.dataset.ready) return;
  event.preventDefault();
  session.distrust();
  const sure = await session.ensureFresh().catch(() => false);
  if (sure) letGo(link);
  else announce(say('download_failed'), { alert: true, seen: true });
}

/** Let the link of an archive go when the server would make it; else tell why, and read the list if a file has gone. */
export async function downloadZip(link, path, { store, session, limits }) {
  try {
    await session.authorised(() => request(path, { method: 'HEAD' }));
    letGo(link);
  } catch (error) {
    if (error instanceof SignedOut) return;
    const isGone = error.status === 404;
    const text = isGone
      ? say('list_zip_gone')
      : say('list_zip_failed', { reason: failureText(error, limits) });
    announce(text, { alert: true, seen: true });
    if (isGone) store.load();
  }
}

function letGo(link) {
  link.dataset.ready = 'yes';
  link.click();
  delete link.dataset.ready;
}
