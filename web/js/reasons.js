// Why a file is refused or an upload fails: one sentence for each reason.
import { FOLDER } from './config.js';
import { bytes } from './format.js';
import { either, say, sayWait } from './words.js';

// One code, `unsupported_type`, has many reasons: these are told apart by what the server's sentence says.
const CONTENT = {
  'found malware in it': 'failed_malware',
  'it contains macros': 'failed_macros',
  'it is encrypted': 'failed_encrypted',
  'the archive is damaged': 'failed_damaged',
};

const THROTTLED = { seconds: 'throttled', minutes: 'throttled_minutes', unknown: 'throttled_unknown' };

/** Return the accepted types as people say them: "PDF, DOCX or TXT". */
export function typesText({ types }) {
  return either(types.map((type) => type.extension.slice(1).toUpperCase()));
}

/** Return why a file was not added, or cannot be sent any more; `code` is `validate`'s. */
export function refusalText(code, limits, size = 0) {
  if (code === 'type') return say('refused_type', { types: typesText(limits) });
  if (code === 'size') return sizeText(bytes(limits.maxFileBytes), bytes(size));
  if (code === 'folder_large') return say('refused_folder_large', FOLDER);
  return say(`refused_${code}`);
}

/** Return why a request failed; `error` may be any that one raises, `name` the file's. */
export function failureText(error, limits, name = '') {
  if (error.status === 429) return sayWait(THROTTLED, error.retryAfter);
  const reason = failure(error, limits, name);
  const passing = error.status >= 500 && error.status !== 507;
  return passing ? say('try_again_hint', { reason }) : reason;
}

/** Return why a request failed, and that it is tried again in `seconds`. */
export function retryText(error, limits, seconds) {
  return say('trying_again', { reason: failure(error, limits, ''), count: seconds });
}

function failure({ status, code, told }, limits, name) {
  if (code === 'changed') return refusalText('changed', limits);
  if (code === 'request_over') return say('failed_over');
  if (code === 'no_room') return say('failed_no_room');
  if (status === 401) return say('failed_link');
  if (code === 'stall') return say('failed_stall');
  if (status === undefined) return say('failed_network');
  if (code === 'too_large') return say('failed_limit', { limit: bytes(limits.maxFileBytes) });
  if (status === 413) return say('failed_on_the_way');
  if (status === 429) return say('failed_throttled');
  if (code === 'quota_exceeded') return say('failed_full');
  if (code === 'insufficient_storage') return say('failed_disk');
  if (status >= 500 && status !== 507) return say('failed_server');
  if (code === 'unsupported_type') return say(contentKey(told));
  return told ? withoutName(told, name) : say('failed_request');
}

/** What the file's own name says is no reason. */
function contentKey(told) {
  const sentence = told.replace(/“.*”/, '');
  for (const [words, key] of Object.entries(CONTENT)) {
    if (sentence.includes(words)) return key;
  }
  return 'failed_content';
}

/** The server's sentence names the file, as one of several may be the one refused; here the row names it. */
function withoutName(told, name) {
  const sentence = told.replace(` of “${name}”`, '').replace(`“${name}”`, 'it');
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function sizeText(limit, size) {
  return size === limit ? say('refused_size_slightly', { limit }) : say('refused_size', { limit, size });
}
