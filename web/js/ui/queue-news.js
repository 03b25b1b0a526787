// What is said of the queue: aloud, and in the window's title.
import { Batch } from '../batch.js';
import { TIMING } from '../config.js';
import { shown } from '../format.js';
import { failureText } from '../reasons.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { soon } from './dom.js';
import { notice } from './notices.js';
import { mountTotal } from './total.js';

/** Tell what happens in `queue`; `onTitle(decorate)` gets what makes "(3/12) Uploading – Documents" of the title. */
export function mountNews(queue, limits, onTitle) {
  const batch = new Batch(queue);
  const showTotal = mountTotal(queue, batch);
  const plainTitle = () => onTitle((title) => title);
  let quarter = 0;
  let failedAt = -Infinity;

  function tellProgress({ done, count, share }) {
    const reached = Math.min(3, Math.floor(4 * share));
    onTitle((title) => say('title_uploading', { done, count, title }));
    if (reached > quarter) announce(say('percent_uploaded', { percent: reached * 25 }));
    quarter = Math.max(quarter, reached);
  }

  function tellEnd({ count }) {
    if (count) announce(sum(batch));
    if (count && !isLookedAt()) onTitle(endTitle(batch));
    else if (isLookedAt()) plainTitle();
    quarter = 0;
    batch.clear();
  }

  const tell = soon(() => {
    const state = batch.state();
    showTotal(state);
    if (state.active) tellProgress(state);
    else tellEnd(state);
  });
  onLook(() => batch.state().active || plainTitle());

  queue.addEventListener('add', ({ detail: { items, duplicates } }) => {
    const held = items.filter((item) => item.twin);
    const fresh = items.filter((item) => !item.refusal && !item.twin);
    const refused = items.reduce((sum, { refusal, count }) => sum + (refusal ? count : 0), 0);
    const twice = duplicatesText(duplicates);
    const texts = [addedText(fresh.length, refused), heldText(held), twice];
    announce(texts.filter(Boolean).join('. '));
    if (twice) notice(twice); // the others have rows
    tell();
  });
  queue.addEventListener('change', ({ detail: { item } }) => {
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

/** Say that files are looked into if `adding` them takes a while: a large folder, a slow disk. */
export async function tellWait(adding) {
  const timer = setTimeout(() => announce(say('looking'), { seen: true }), TIMING.looking);
  await adding;
  clearTimeout(timer);
}

function addedText(count, refused) {
  if (!count && !refused) return '';
  return refused ? say('added_some', { count, refused }) : say('added', { count });
}

function heldText(items) {
  if (!items.length) return '';
  if (items.length > 1) return say('already_there_many', { count: items.length });
  return say('already_there_name', { name: shown(items[0].name) });
}

function duplicatesText(names) {
  if (!names.length) return '';
  if (names.length > 1) return say('already_listed_many', { count: names.length });
  return say('already_listed', { name: shown(names[0]) });
}

function sum(batch) {
  const failed = batch.having('FAILED');
  const cancelled = batch.having('CANCELLED');
  const parts = [say('files_uploaded', { count: batch.having('SUCCESS') })];
  if (failed) parts.push(say('files_failed', { failed }));
  if (cancelled) parts.push(say('files_cancelled', { cancelled }));
  return parts.join(', ');
}

/** Return what makes a title tell how a batch ended; a batch that was given up altogether says nothing. */
function endTitle(batch) {
  const failed = batch.having('FAILED');
  const done = batch.having('SUCCESS');
  if (failed) return (title) => say('title_failed', { failed, title });
  return (title) => (done ? say('title_uploaded', { done, title }) : title);
}

const isLookedAt = () => !document.hidden && document.hasFocus();

/** Call `act` whenever somebody looks at the page again. */
function onLook(act) {
  const look = () => isLookedAt() && act();
  addEventListener('focus', look);
  document.addEventListener('visibilitychange', look);
}
