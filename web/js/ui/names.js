// A file's name in a row: whole where it fits (css/rows.css finds out), else its two ends, and always for those who listen.
import { badge, shown, splitName } from '../format.js';

/** Return an element with a text that keeps its own direction, whatever it holds. */
export function isolate(text) {
  const element = document.createElement('bdi');
  element.textContent = shown(text);
  return element;
}

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
