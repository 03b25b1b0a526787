// How much is kept for this account, and how much more can be.
import { bytes } from '../format.js';
import { ApiError, request } from '../http.js';
import { say } from '../words.js';
import { mountLoaded } from './loaded-part.js';

const NEARLY = 0.9; // of the quota

/** Show the storage that is used and left in `part`. */
export function mountStorage(part, context) {
  mountLoaded(part, { read, show: (amounts) => show(part, amounts) }, context);
}

/** Return the answer's amounts; whoever is not known is told the limits without them, and no 401. */
async function read() {
  const answer = await request('/api/limits');
  if (answer.usedBytes === undefined) throw new ApiError(401);
  return answer;
}

function show(part, { usedBytes, quotaBytes }) {
  const bar = part.querySelector('meter');
  part.querySelector('.amount').textContent = amountText(usedBytes, quotaBytes);
  part.querySelector('.warning').textContent = warning(usedBytes, quotaBytes);
  bar.hidden = !quotaBytes;
  if (!quotaBytes) return;
  bar.max = quotaBytes;
  bar.high = quotaBytes * NEARLY;
  bar.value = usedBytes;
}

function amountText(usedBytes, quotaBytes) {
  const used = bytes(usedBytes);
  if (!quotaBytes) return say('storage_used', { used });
  const left = bytes(Math.max(0, quotaBytes - usedBytes));
  return say('storage_of', { used, quota: bytes(quotaBytes), left });
}

function warning(usedBytes, quotaBytes) {
  if (!quotaBytes || usedBytes < quotaBytes * NEARLY) return '';
  return say(usedBytes < quotaBytes ? 'storage_nearly_full' : 'storage_full');
}
