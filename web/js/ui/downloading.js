// Downloads: a link is let go only when it is sure to bring a file, for a refusal would be a download that just fails.
import { request } from '../http.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { say } from '../words.js';
import { announce } from './announcer.js';

const ONE = { gone: 'list_gone', failed: 'download_failed' };
const ZIP = { gone: 'list_zip_gone', failed: 'list_zip_failed' };

/** Let the link of a document go when the server would send it. */
export async function download(event, link, { id }, tools) {
  if (link.dataset.ready) return;
  event.preventDefault();
  await letGoIfSure(link, `/api/documents/${id}/content`, ONE, tools);
}

/** Let the link of an archive go when the server would make it. */
export const downloadZip = (link, path, tools) => letGoIfSure(link, path, ZIP, tools);

/** Ask the server before the link does; else tell why not, and read the list if a file has gone. */
async function letGoIfSure(link, path, texts, { store, session, limits }) {
  try {
    await session.authorised(() => request(path, { method: 'HEAD' }));
    letGo(link);
  } catch (error) {
    if (error instanceof SignedOut) return;
    const isGone = error.status === 404;
    const text = isGone ? say(texts.gone) : say(texts.failed, { reason: failureText(error, limits) });
    announce(text, { alert: true, seen: true });
    if (isGone) store.load(isGone);
  }
}

function letGo(link) {
  link.dataset.ready = 'yes';
  link.click();
  delete link.dataset.ready;
}
