// One row of the queue: a file, where it is, and what can be done with it.
import { TIMING } from '../config.js';
import { bytes, isolated, part, shown, since } from '../format.js';
import { canRetry, isActive } from '../item.js';
import { failureText, refusalText, retryText, typesText } from '../reasons.js';
import { say } from '../words.js';
import { clone } from './dom.js';
import { writeName } from './names.js';

const PLAIN = { PENDING: 'waiting', SUCCESS: 'uploaded', CANCELLED: 'cancelled' };

/** Return a new row for `item`; `patchRow` fills in what changes. */
export function makeRow(item) {
  const row = clone('row-template');
  const name = writeName(row, item.name);
  const meta = row.querySelector('.meta');
  const bar = row.querySelector('progress');
  row.dataset.id = item.id;
  meta.id = `meta-${item.id}`;
  bar.setAttribute('aria-describedby', meta.id);
  bar.ariaLabel = say('uploading_name', { name });
  return row;
}

/** Show in `row` what is true of `item` now; `touch(item)` asks to be called again. */
export function patchRow(row, item, context, touch) {
  const bar = row.querySelector('progress');
  row.dataset.status = item.status;
  row.querySelector('.meta').textContent = describe(item, context);
  row.classList.toggle('held', Boolean(item.twin));
  patchButtons(row, item);
  bar.hidden = item.status !== 'UPLOADING';
  if (item.phase === 'finishing') bar.removeAttribute('value');
  else if (!bar.hidden) bar.value = percent(item);
  if (item.phase === 'retrying') setTimeout(touch, TIMING.tick, item);
}

function patchButtons(row, item) {
  const name = shown(item.name);
  const retry = row.querySelector('.retry');
  retry.hidden = !canRetry(item);
  retry.textContent = say(item.twin ? 'upload_anyway' : 'retry');
  retry.ariaLabel = say(item.twin ? 'upload_anyway_name' : 'retry_name', { name });
  row.querySelector('.x').ariaLabel = say(isActive(item) ? 'cancel_name' : 'remove_name', { name });
}

const percent = ({ loaded, size }) => Math.min(99, Math.floor((100 * loaded) / (size || 1))); // 100 is the answer's

function describe(item, { session, network, limits }) {
  const { status, size, error, refusal, name, count } = item;
  if (refusal === 'in_folder') return say('refused_in_folder', { count, types: typesText(limits) });
  if (refusal) return say('not_added', { reason: refusalText(refusal, limits, size) });
  if (status === 'FAILED') return say('not_uploaded', { reason: failureText(error, limits, name) });
  if (status === 'PENDING' && !network.up) return say('waiting_connection');
  if (status === 'PENDING' && !session.active) return say('waiting_sign_in');
  if (status === 'UPLOADING') return describeUpload(item, limits);
  if (item.twin) return say('already_there', { day: since(new Date(item.twin.uploadedAt)) });
  if (item.same) return describeSame(item.same);
  return say(PLAIN[status], { size: bytes(size) });
}

function describeSame({ filename, uploadedAt }) {
  return say('uploaded_same', { name: isolated(shown(filename)), day: since(new Date(uploadedAt)) });
}

function describeUpload(item, limits) {
  const { phase, size, error, retryAt } = item;
  if (phase === 'finishing') return say('checking');
  if (phase === 'retrying') {
    return retryText(error, limits, Math.max(1, Math.ceil((retryAt - Date.now()) / 1000)));
  }
  const loaded = part(Math.min(item.loaded, size), size);
  return say('uploading', { percent: percent(item), loaded, size: bytes(size) });
}
