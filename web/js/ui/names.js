// A file's name in a row: whole where it fits (css/rows.css finds out), else its two ends, and always for those who listen.
import { badge, shown, splitName } from '../format.js';

/** Write `name` into a row, and return it as it is shown. */
export function writeName(row, name) {
  const whole = shown(name);
  const [stem, tail] = splitName(whole);
  row.querySelector('.kind').textContent = badge(whole);
  row.querySelector('.full').textContent = whole;
  row.querySelector('.stem').textContent = stem;
  row.querySelector('.tail').textContent = tail;
  row.querySelector('.name').title = whole;
  return whole;
}
