// One file of the queue, and which states may follow which.
import { typeOf } from './validate.js';

const NEXT = {
  PENDING: ['UPLOADING', 'FAILED', 'CANCELLED'],
  UPLOADING: ['SUCCESS', 'FAILED', 'CANCELLED', 'PENDING'],
  FAILED: ['PENDING'],
  CANCELLED: ['PENDING'],
  SUCCESS: [],
};
const FINAL = [400, 401, 415, 422]; // what the server will say again of the same bytes; a proxy's 413 may be mended

/** Return a new row for `file`, whose `status` is still to be set; reading its size pins the file as it is now. Its
 * `id` is the Idempotency-Key too: one that is resumed has its own already. */
export function newItem(file, limits, id = newId()) {
  return {
    id,
    file,
    print: printOf(file),
    name: file.name.normalize('NFC'),
    size: file.size,
    count: 1, // the files that the row stands for
    mimetype: typeOf(file.name, limits)?.mimetype,
    turn: 0,
    phase: '',
    loaded: 0,
    sent: false,
    error: null,
    twin: undefined, // the document of its name and size for which it is held back
    same: undefined, // the document that has its content, as the server found
    sender: undefined, // what a visitor called himself when it was first sent; a repeat must say the same
    retryAt: 0,
    run: null,
  };
}

/** Return what two files have in common that are taken for the same. */
export const printOf = ({ size, lastModified, name }) => `${size}/${lastModified}/${name}`;

/** Return the status that `item` begins with: one that is held back is given up until it is tried again. */
export function firstStatus({ refusal, twin }) {
  if (refusal) return 'FAILED';
  return twin ? 'CANCELLED' : 'PENDING';
}

/** Return `items` with the refused ones of each folder in one row, which has its name and their `count`. */
export function foldRefused(items, limits) {
  const isInFolder = ({ from, refusal }) => from !== undefined && refusal;
  const folders = new Map(); // by name, how many of its files are refused
  for (const { from } of items.filter(isInFolder)) folders.set(from, (folders.get(from) ?? 0) + 1);
  const rows = Array.from(folders, ([name, count]) => {
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

/** Tell whether a row waits because too many came: nothing of it can have arrived. */
export const isThrottled = ({ phase, error }) => phase === 'retrying' && error.status === 429;

/** Tell whether a row waits or is on its way. */
export const isActive = (item) => item.status === 'PENDING' || isUploading(item);

/** Tell whether a row failed and can be tried again: not what was refused, by whomever, nor a file that is gone. */
export function hasFailed({ status, refusal, error }) {
  return status === 'FAILED' && !refusal && error.code !== 'changed' && !isFinal(error);
}

const isFinal = ({ status, code }) => FINAL.includes(status) || code === 'too_large';

/** Tell whether a row can be tried again. */
export const canRetry = (item) => item.status === 'CANCELLED' || hasFailed(item);

/** Tell whether a row waits for somebody to say that its file is to be uploaded anyway. */
export const isHeld = ({ twin }) => twin !== undefined;

/** Tell whether a row can be cleared away: stored, refused, given up, or held back. */
export const isFinished = (item) => !isActive(item) && !hasFailed(item);

/** Tell whether something can still come of a row. */
export const isOpen = (item) => !isFinished(item) || isHeld(item);

/** Return 128 random bits in hex; `crypto.randomUUID` is missing on plain http. */
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), twoDigits).join('');
const twoDigits = (byte) => byte.toString(16).padStart(2, '0');
