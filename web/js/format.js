// How sizes, times, counts and names are written for people.
const UNITS = ['bytes', 'kB', 'MB', 'GB'];
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const LETTERS = new Intl.Segmenter();
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
// Marks that turn or hide the text around them: an `exe` could be shown as a `txt`.
const MARKS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Return a size as "812 bytes", "212 kB" or "8.1 MB", in the unit that suits `like`; 1 kB is 1,024 bytes. */
export function bytes(size, like = size) {
  const unit = like < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(like) / 10));
  const value = size / 1024 ** unit;
  return `${Number(value.toFixed(unit > 1 && value < 100 ? 1 : 0))} ${like === 1 ? 'byte' : UNITS[unit]}`;
}

/** Return a number with its noun: "1 file", "12 files". */
export const count = (number, noun = 'file') => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** Return a moment as "today, 10:04", "yesterday, 18:20" or "3 Mar 2025, 10:04". */
export function when(time, present = new Date()) {
  const days = Math.round((new Date(present).setHours(0, 0, 0, 0) - new Date(time).setHours(0, 0, 0, 0)) / 86_400_000);
  return `${['today', 'yesterday'][days] ?? DAY.format(time)}, ${CLOCK.format(time)}`;
}

/** Return how long ago something was: "just now", "2 minutes ago". */
export function ago(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  const told = minutes < 60 ? count(minutes, 'minute') : count(Math.floor(minutes / 60), 'hour');
  return minutes < 1 ? 'just now' : `${told} ago`;
}

/** Return a name as it may be shown: whole, with every mark that turns or hides text made visible. */
export const shown = (name) => name.replace(MARKS, '\ufffd');

/** Return a name in two pieces, the second with the extension, so that a long one can be cut in between. */
export function splitName(name) {
  const letters = Array.from(LETTERS.segment(name), (piece) => piece.segment);
  const dot = letters.lastIndexOf('.');
  const tail = Math.min(12, (dot > 0 ? letters.length - dot : 0) + 4);
  if (letters.length < 2 * tail) return [name, ''];
  return [letters.slice(0, -tail).join(''), letters.slice(-tail).join('')];
}

/** Return the three letters that stand for a file's type. */
export const badge = (name) => (/\.([a-z0-9]{1,3})[a-z0-9]*$/i.exec(name)?.[1] ?? '–').toUpperCase();
