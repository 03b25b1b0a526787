// One file of the queue, and which states may follow which.
import { typeOf } from './validate.js';

const NEXT = {
  PENDING: ['UPLOADING', 'CANCELLED'],
  UPLOADING: ['SUCCESS', 'FAILED', 'CANCELLED', 'PENDING'],
  FAILED: ['PENDING'],
  CANCELLED: ['PENDING'],
  SUCCESS: [],
};
const FINAL = [400, 413, 415, 422]; // what the server will say again of the same bytes

/** Return a new row for `file`, whose `status` is still to be set; reading its size pins the file as it is now. */
export function newItem(file, limits) {
  return {
    id: newId(), // the Idempotency-Key too
    file,
    print: `${file.size}/${file.lastModified}/${file.name}`,
    name: file.name.normalize('NFC'),
    size: file.size,
    count: 1, // the files that the row stands for
    mimetype: typeOf(file.name, limits)?.mimetype,
    turn: 0,
    phase: '',
    loaded: 0,
    sent: false,
    error: null,
    retryAt: 0,
    run: null,
  };
}

/** Return `items` with the refused ones of each folder in one row, which has its name and their `count`. */
export function foldRefused(items, limits) {
  const isInFolder = ({ from, refusal }) => from !== undefined && refusal;
  const folders = Map.groupBy(items.filter(isInFolder), ({ from }) => from);
  const rows = Array.from(folders, ([name, { length: count }]) => {
    const row = newItem(new File([], name), limits);
    return Object.assign(row, { status: 'FAILED', refusal: 'in_folder', count });
  });
  return [...items.filter((item) => !isInFolder(item)), ...rows];
}

/** Let `item` go over to `status`; raise an Error if that is not one that may follow. */
export function advance(item, status) {
  if (!NEXT[item.status].includes(status)) throw new Error(`${item.status} cannot become ${status}.`);
  Object.assign(item, { status, phase: '', loaded: 0 });
}

export const isUploading = (item) => item.status === 'UPLOADING';

/** Tell whether a row waits or is on its way. */
export const isActive = (item) => item.status === 'PENDING' || isUploading(item);

/** Tell whether a row failed and can be tried again: not what was refused, by whomever, nor a file that is gone. */
export function hasFailed({ status, refusal, error }) {
  return status === 'FAILED' && !refusal && error.code !== 'changed' && !FINAL.includes(error.status);
}

/** Tell whether a row can be tried again. */
export const canRetry = (item) => item.status === 'CANCELLED' || hasFailed(item);

/** Tell whether nothing more can come of a row: stored, refused, or given up. */
export const isFinished = (item) => !isActive(item) && !hasFailed(item);

/** Return 128 random bits in hex; `crypto.randomUUID` is missing on plain http. */
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), twoDigits).join('');
const twoDigits = (byte) => byte.toString(16).padStart(2, '0');
