// One file on its way: XMLHttpRequest, because fetch tells nothing of an upload's progress.
import { API } from './config.js';
import { csrfToken, judge, NetworkTrouble, Stalled } from './http.js';

/** Send `item` and return the stored file's record; raise ApiError, NetworkTrouble, Stalled or the signal's reason.
 * `onProgress(loaded, sent)` tells the bytes on their way and whether the last one has left. */
export async function sendFile(item, { signal, onProgress, timing }) {
  const xhr = new XMLHttpRequest();
  let moved = performance.now();
  let sent = false;
  let watchdog = 0;
  const onMove = ({ type, loaded }) => {
    moved = performance.now();
    sent = type === 'load';
    onProgress(loaded, sent);
  };
  const isStuck = () => performance.now() - moved > (sent ? timing.finish : timing.stall);

  xhr.upload.onprogress = onMove;
  xhr.upload.onload = onMove;
  try {
    await new Promise((resolve, reject) => {
      const abort = () => {
        xhr.abort();
        reject(signal.reason);
      };
      const watch = () => {
        if (isStuck()) reject(new Stalled());
      };
      xhr.onload = resolve;
      xhr.onerror = () => reject(new NetworkTrouble());
      signal.addEventListener('abort', abort, { once: true });
      watchdog = setInterval(watch, timing.watch);
      start(xhr, item);
    });
    return judge(xhr.status, xhr.response, xhr.getResponseHeader('Retry-After')).files?.[0];
  } finally {
    clearInterval(watchdog);
    xhr.upload.onprogress = null;
    xhr.upload.onload = null;
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
