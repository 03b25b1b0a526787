// What was uploaded some time ago takes one line: "12 uploaded". What failed stays in sight.
import { TIMING } from '../config.js';
import { say } from '../words.js';
import { $ } from './dom.js';

const due = new Map(); // rows and when they may fold
let timer = 0;

/** Let `row` fold after a while: a row with the focus waits, and nothing moves under a pointer. */
export function foldSoon(row) {
  if (due.has(row) || isFolded(row)) return;
  due.set(row, performance.now() + TIMING.fold);
  if (!timer) wait();
}

/** Show how many rows are folded; call it when rows have gone. */
export function patchFold() {
  const count = $('queue-done').childElementCount;
  $('folded').hidden = !count;
  $('folded-text').textContent = say('folded', { count });
  if (!count) $('folded-more').open = false;
}

/** Return the ids of the rows that are folded. */
export const foldedIds = () => [...$('queue-done').children].map(({ dataset }) => dataset.id);

const isFolded = (row) => row.parentElement === $('queue-done');
const isHeld = (row) => row.matches(':focus-within');

function wait() {
  timer = setTimeout(sweep, Math.min(TIMING.fold, TIMING.tick));
}

function sweep() {
  timer = 0;
  if (!$('queue').querySelector('#queue-list:hover, .tools:focus-within')) foldDue(performance.now());
  if (due.size) wait();
}

function foldDue(now) {
  const ripe = [...due].filter(([row, at]) => at <= now && !isHeld(row)).map(([row]) => row);
  for (const row of ripe) due.delete(row);
  $('queue-done').append(...ripe.filter((row) => row.isConnected));
  patchFold();
}
