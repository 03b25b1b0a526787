// What is said when a file is refused or an upload fails: one sentence for each reason.
import { bytes, count } from './format.js';

const OR = new Intl.ListFormat('en-GB', { type: 'disjunction' });

/** Return the accepted types as people say them: "PDF, DOCX or TXT". */
export const typesText = ({ types }) => OR.format(types.map((type) => type.extension.slice(1).toUpperCase()));

/** Return why a file was not added, or cannot be sent any more; `code` is `validate`'s. */
export function refusalText(code, limits, size = 0) {
  const limit = bytes(limits.maxFileBytes);
  const actual = bytes(size) === limit ? 'slightly larger' : bytes(size);
  return {
    type: `The file must be a ${typesText(limits)}.`,
    size: `The file must be ${limit} or smaller. This one is ${actual}.`,
    empty: 'The file is empty.',
    content: "The file's content doesn't match its name.",
    folder: "Folders can't be added. Open the folder and choose the files in it.",
    changed: 'The file was moved or changed after you added it. Choose it again.',
  }[code];
}

/** Return why a request failed, and that it is tried again in `retryIn` seconds; `error` may be any that one raises. */
export function failureText(error, limits, retryIn = 0) {
  const reason = failure(error, limits);
  if (retryIn) return `${reason} Trying again in ${count(retryIn, 'second')}.`;
  return error.status >= 500 && error.status !== 507 ? `${reason} Try again.` : reason;
}

function failure({ status, code, told }, limits) {
  if (code === 'changed') return refusalText('changed', limits);
  if (code === 'stall') return 'The upload stopped moving.';
  if (status === undefined) return 'The connection was interrupted.';
  if (status === 413) return `The server's limit is ${bytes(limits.maxFileBytes)}.`;
  if (status === 429) return 'Too many uploads at once.';
  if (status === 507) return told || 'Your storage is full.';
  if (status >= 500) return 'The server had a problem.';
  return told || refusalText('type', limits);
}
