// How sizes, times and names are written for people, in the reader's language.
import { locale, say } from './words.js';

const UNITS = ['', 'kB', 'MB', 'GB'];
const DAY_LENGTH = 86_400_000;
const DAY = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const CLOCK = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
const WEEKDAY = new Intl.DateTimeFormat(locale, { weekday: 'long' });
const NEARLY = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
const AGO = new Intl.RelativeTimeFormat(locale);
const ZWJ = '\u200d';
const FAR = 6; // letters that a cut may move
const JOINS = /^[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Nko}\p{Script=Mongolian}]/u;
// Arabic letters that never join the next one: hamza, alef, dal, reh, waw and their kin (Unicode's ArabicShaping.txt).
const ENDS =
  /^[\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0660-\u0669\u0671-\u0673\u0675-\u0677\u0688-\u0699\u06c0\u06c3-\u06cb\u06cd\u06cf\u06d2-\u06d5\u06ee-\u06f9]/;
const LETTERS = new Intl.Segmenter();
// Marks that turn or hide the text around them: an `exe` could be shown as a `txt`.
const MARKS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Return a size as "812 bytes", "212 kB" or "8.1 MB"; 1 kB is 1,024 bytes. */
export function bytes(size) {
  const unit = unitOf(size);
  return unit === 0 ? say('bytes', { count: size }) : `${amount(size, unit)} ${UNITS[unit]}`;
}

/** Return the number alone of `size` in the unit that suits `whole`: the "3.4" of "3.4 of 8.1 MB". */
export const part = (size, whole) => amount(size, unitOf(whole));

function unitOf(size) {
  return size < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(size) / 10));
}

function amount(size, unit) {
  const value = size / 1024 ** unit;
  const maximumFractionDigits = unit > 1 && value < 100 ? 1 : 0;
  return value.toLocaleString(locale, { maximumFractionDigits });
}

/** Return a moment as "today, 10:04", "yesterday, 18:20" or "3 Mar 2025, 10:04". */
export function when(moment, present = new Date()) {
  const time = CLOCK.format(moment);
  const days = daysBetween(moment, present);
  if (days === 0) return say('today_at', { time });
  if (days === 1) return say('yesterday_at', { time });
  return say('date_at', { date: DAY.format(moment), time });
}

/** Return the day of a moment as "today", "yesterday", "Tuesday" within a week, else "3 Mar 2025". */
export function since(moment, present = new Date()) {
  const days = daysBetween(moment, present);
  if (days === 0 || days === 1) return NEARLY.format(-days, 'day');
  return days > 1 && days < 7 ? WEEKDAY.format(moment) : DAY.format(moment);
}

function daysBetween(moment, present) {
  return Math.round((midnight(present) - midnight(moment)) / DAY_LENGTH);
}

const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);

/** Return how long ago something was: "just now", "2 minutes ago". */
export function ago(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return say('just_now');
  return minutes < 60 ? AGO.format(-minutes, 'minute') : AGO.format(-Math.floor(minutes / 60), 'hour');
}

/** Return when something was, the coarser the longer ago: "2 hours ago", "yesterday", "3 Mar 2025". */
export function lately(moment, present = new Date()) {
  const age = present - moment;
  return age < DAY_LENGTH ? ago(age) : since(moment, present);
}

/** Return how long something still takes, roughly: "20 seconds", "4 minutes", "2 hours". */
export function lasting(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 58) return duration(Math.max(5, 5 * Math.round(seconds / 5)), 'second');
  if (seconds < 5400) return duration(Math.round(seconds / 60), 'minute');
  return duration(Math.round(seconds / 3600), 'hour');
}

/** Return a length of time in words: "90 days", "1 year". */
export function duration(value, unit) {
  return value.toLocaleString(locale, { style: 'unit', unit, unitDisplay: 'long' });
}

/** Return a name as it may be shown: whole, with every mark that turns or hides text made visible. */
export const shown = (name) => name.replace(MARKS, '\ufffd');

/** Return a text that keeps its own direction within a sentence. */
export const isolated = (text) => `\u2068${text}\u2069`;

/** Return a name in two pieces, the second with the extension, so that a long one can be cut in between. Letters that
 * join keep their shapes: the cut is moved back to a gap in the word, or both sides get a joiner. */
export function splitName(name) {
  const letters = Array.from(LETTERS.segment(name), (piece) => piece.segment);
  const dot = letters.lastIndexOf('.');
  const tail = Math.min(12, (dot > 0 ? letters.length - dot : 0) + 4);
  const wanted = letters.length - tail;
  if (wanted < 2) return [name, ''];
  const gap = gapBefore(letters, wanted);
  const cut = letters[gap] === ' ' ? gap + 1 : gap; // a space belongs before the cut, where it can give way
  const joiner = isJoined(letters, cut) ? ZWJ : '';
  return [letters.slice(0, cut).join('') + joiner, joiner + letters.slice(cut).join('')];
}

/** Return the last place up to `wanted` that no two joined letters share, if there is one near. */
function gapBefore(letters, wanted) {
  const nearest = Math.max(2, wanted - FAR);
  for (let cut = wanted; cut >= nearest; cut -= 1) {
    if (!isJoined(letters, cut)) return cut;
  }
  return wanted;
}

function isJoined(letters, cut) {
  const before = letters[cut - 1];
  return JOINS.test(before) && !ENDS.test(before) && JOINS.test(letters[cut]);
}

/** Return the three letters that stand for a file's type. */
export const badge = (name) => (/\.([a-z0-9]{1,3})[a-z0-9]*$/i.exec(name)?.[1] ?? '–').toUpperCase();
