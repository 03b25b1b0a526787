// One file on its way: XMLHttpRequest, because fetch tells nothing of an upload's progress.
import { API } from './config.js';
import { judge, NetworkTrouble, SESSION, Stalled } from './http.js';

/** Send `item` and return the stored file's record; raise ApiError, NetworkTrouble, Stalled or the signal's reason.
 * `onProgress(loaded, sent)` tells the bytes on their way and whether the last one has left. */
export async function sendFile(item, { signal, onProgress, timing, asker = SESSION }) {
  const xhr = new XMLHttpRequest();
  const pace = watchPace(xhr.upload, onProgress);
  let watchdog = 0;
  try {
    await new Promise((resolve, reject) => {
      xhr.onload = resolve;
      xhr.onerror = () => reject(new NetworkTrouble());
      const giveUp = () => {
        stop(xhr);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      watchdog = setInterval(() => {
        if (stands(pace, timing)) reject(new Stalled());
      }, timing.watch);
      start(xhr, item, asker);
    });
    return judge(xhr.status, xhr.response, xhr.getResponseHeader('Retry-After')).files?.[0];
  } finally {
    clearInterval(watchdog);
    stop(xhr);
  }
}

/** Tell `onProgress` of every move; return when the last one was and whether all is sent, kept up to date. */
function watchPace(upload, onProgress) {
  const pace = { moved: performance.now(), sent: false };
  const note = ({ type, loaded, total, lengthComputable }) => {
    pace.moved = performance.now();
    // Firefox fires load only together with the answer, WebKit and Chromium when the last byte has left
    pace.sent = type === 'load' || (lengthComputable && loaded === total);
    onProgress(loaded, pace.sent);
  };
  upload.onprogress = note;
  upload.onload = note;
  return pace;
}

function stands({ moved, sent }, { stall, finish }) {
  return performance.now() - moved > (sent ? finish : stall);
}

/** Break the request off, if it is still under way; nothing more is told of it. */
function stop(xhr) {
  xhr.upload.onprogress = null;
  xhr.upload.onload = null;
  xhr.abort();
}

/** Send the body: the type that the extension stands for, and the name in NFC (macOS gives it decomposed). */
function start(xhr, { id, file, name, mimetype, sender }, { credentials, headers }) {
  const body = new FormData();
  if (sender) body.append('from', sender); // before the file, as it is read in passing
  body.append('file', file.slice(0, file.size, mimetype), name);
  xhr.open('POST', `${API}/api/upload`);
  xhr.responseType = 'json';
  xhr.withCredentials = credentials === 'include'; // to its own origin it sends cookies all the same
  for (const header of Object.entries(headers('POST'))) xhr.setRequestHeader(...header);
  xhr.setRequestHeader('Idempotency-Key', id);
  xhr.send(body);
}
