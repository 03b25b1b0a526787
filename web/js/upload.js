// One file on its way: XMLHttpRequest, because fetch tells nothing of an upload's progress.
import { API } from './config.js';
import { NetworkTrouble, Stalled, csrfToken, judge } from './http.js';

/** Send `item` and return the stored file's record; raise ApiError, NetworkTrouble, Stalled or the signal's reason.
 * `onProgress(loaded, sent)` tells the bytes on their way and whether the last one has left. */
export async function sendFile(item, { signal, onProgress, timing }) {
  const xhr = new XMLHttpRequest();
  let [moved, sent, watchdog] = [performance.now(), false, 0];
  xhr.upload.onprogress = xhr.upload.onload = ({ type, loaded }) => {
    [moved, sent] = [performance.now(), type === 'load'];
    onProgress(loaded, sent);
  };
  try {
    await new Promise((resolve, reject) => {
      xhr.onload = resolve;
      xhr.onerror = () => reject(new NetworkTrouble());
      signal.addEventListener('abort', () => { xhr.abort(); reject(signal.reason); }, { once: true });
      watchdog = setInterval(() => {
        if (performance.now() - moved > (sent ? timing.finish : timing.stall)) reject(new Stalled());
      }, timing.watch);
      start(xhr, item);
    });
    return judge(xhr.status, xhr.response, xhr.getResponseHeader('Retry-After')).files?.[0];
  } finally {
    clearInterval(watchdog);
    xhr.upload.onprogress = xhr.upload.onload = null;
    xhr.abort();
  }
}

/** Send the body: the type that the extension stands for, and the name in NFC (macOS gives it decomposed). */
function start(xhr, { id, file, name, mimetype }) {
  const body = new FormData();
  body.append('file', file.slice(0, file.size, mimetype), name);
  xhr.open('POST', `${API}/api/upload`);
  xhr.responseType = 'json';
  xhr.withCredentials = true;
  xhr.setRequestHeader('X-CSRF-Token', csrfToken());
  xhr.setRequestHeader('Idempotency-Key', id);
  xhr.send(body);
}
