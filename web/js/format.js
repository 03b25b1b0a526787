// How sizes, times and names are written for people, in the reader's language.
import { locale, say } from './words.js';

const UNITS = ['', 'kB', 'MB', 'GB'];
const DAY_LENGTH = 86_400_000;
const DAY = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const CLOCK = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
const AGO = new Intl.RelativeTimeFormat(locale);
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
  const days = Math.round((midnight(present) - midnight(moment)) / DAY_LENGTH);
  if (days === 0) return say('today_at', { time });
  if (days === 1) return say('yesterday_at', { time });
  return say('date_at', { date: DAY.format(moment), time });
}

const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);

/** Return how long ago something was: "just now", "2 minutes ago". */
export function ago(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return say('just_now');
  return minutes < 60 ? AGO.format(-minutes, 'minute') : AGO.format(-Math.floor(minutes / 60), 'hour');
}

/** Return how long something still takes, roughly: "20 seconds", "4 minutes", "2 hours". */
export function lasting(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 58) return duration(Math.max(5, 5 * Math.round(seconds / 5)), 'second');
  if (seconds < 5400) return duration(Math.round(seconds / 60), 'minute');
  return duration(Math.round(seconds / 3600), 'hour');
}

function duration(value, unit) {
  return value.toLocaleString(locale, { style: 'unit', unit, unitDisplay: 'long' });
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
