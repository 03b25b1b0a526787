// What is said of the queue: aloud, and in the window's title.
import { TIMING } from '../config.js';
import { shown } from '../format.js';
import { isActive } from '../item.js';
import { failureText } from '../reasons.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { soon } from './dom.js';

/** Tell what happens in `queue`; `onTitle(decorate)` gets what makes "(3/12) Uploading – Documents" of the title. */
export function mountNews(queue, limits, onTitle) {
  const batch = new Set(); // what came in since the queue was last idle
  let quarter = 0;
  let failedAt = -Infinity;

  function tellProgress(items, active) {
    const reached = quarterOf(items, active);
    const done = items.length - active.length;
    onTitle((title) => say('title_uploading', { done, count: items.length, title }));
    if (reached > quarter) announce(say('percent_uploaded', { percent: reached * 25 }));
    quarter = Math.max(quarter, reached);
  }

  function tellEnd(items) {
    onTitle((title) => title);
    if (items.length) announce(sum(items));
    quarter = 0;
    batch.clear();
  }

  const tell = soon(() => {
    const items = [...batch].filter(({ id }) => queue.items.has(id));
    const active = items.filter(isActive);
    if (active.length) tellProgress(items, active);
    else tellEnd(items);
  });

  queue.addEventListener('add', ({ detail: { items, duplicates } }) => {
    const fresh = items.filter((item) => !item.refusal);
    const refused = items.reduce((sum, { refusal, count }) => sum + (refusal ? count : 0), 0);
    const texts = [addedText(fresh.length, refused), duplicatesText(duplicates)];
    announce(texts.filter(Boolean).join('. '));
    for (const item of fresh) batch.add(item);
    tell();
  });
  queue.addEventListener('change', ({ detail: { item } }) => {
    if (isActive(item)) batch.add(item); // a retry
    if (item.status === 'FAILED') tellFailure(item);
    tell();
  });
  queue.addEventListener('remove', tell);

  function tellFailure({ name, error }) {
    const news = performance.now() - failedAt > TIMING.burst;
    const reason = failureText(error, limits, name);
    if (news) announce(say('first_failure', { name: shown(name), reason }), { alert: true });
    failedAt = performance.now();
  }
}

function addedText(count, refused) {
  if (!count && !refused) return '';
  return refused ? say('added_some', { count, refused }) : say('added', { count });
}

function duplicatesText(names) {
  if (!names.length) return '';
  if (names.length > 1) return say('already_listed_many', { count: names.length });
  return say('already_listed', { name: shown(names[0]) });
}

function quarterOf(items, active) {
  const all = items.reduce((total, { size }) => total + size, 0);
  const left = active.reduce((total, { size, loaded }) => total + Math.max(0, size - loaded), 0);
  return Math.min(3, Math.floor(4 * (1 - left / all)));
}

function sum(items) {
  const having = (status) => items.filter((item) => item.status === status).length;
  const failed = having('FAILED');
  const cancelled = having('CANCELLED');
  const parts = [say('files_uploaded', { count: having('SUCCESS') })];
  if (failed) parts.push(say('files_failed', { failed }));
  if (cancelled) parts.push(say('files_cancelled', { cancelled }));
  return parts.join(', ');
}
