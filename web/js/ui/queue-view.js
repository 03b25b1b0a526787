// The rows of the queue: each shows one file and offers what can be done with it.
import { TIMING } from '../config.js';
import { badge, bytes, shown, splitName } from '../format.js';
import { canRetry, hasFailed, isActive } from '../queue.js';
import { failureText, refusalText } from '../words.js';
import { $, clone, soon } from './dom.js';

const DONE = { PENDING: 'Waiting', SUCCESS: 'Uploaded', CANCELLED: 'Cancelled' };

/** Keep the queue's section as `queue` says; `session`, `network` and `limits` explain why a row waits or failed. */
export function mountQueue(queue, context) {
  const rows = new Map();
  const dirty = new Set();
  const flush = () => {
    for (const item of dirty) if (rows.has(item.id)) patch(rows.get(item.id), item, context, touch);
    dirty.clear();
    patchHead(queue);
  };
  const later = soon(flush);
  const touch = (item) => { dirty.add(item); later(); };

  queue.addEventListener('add', ({ detail: { items } }) => {
    for (const item of items) { rows.set(item.id, make(item)); dirty.add(item); }
    flush();
    $('queue-list').append(...items.map(({ id }) => rows.get(id)));
  });
  queue.addEventListener('change', ({ detail: { item } }) => touch(item));
  queue.addEventListener('remove', ({ detail: { ids } }) => {
    for (const id of ids) { rows.get(id).remove(); rows.delete(id); }
    patchHead(queue);
  });
  for (const store of [context.session, context.network]) {
    store.addEventListener('change', () => { for (const item of queue.all()) touch(item); });
  }

  /** Do it, show it, and put the focus where the next step is. */
  const act = (deed, next) => {
    deed();
    flush();
    [next, $('queue-h'), $('choose')].find((element) => element?.checkVisibility()).focus();
  };
  $('queue-list').addEventListener('click', ({ target }) => {
    const [button, row] = [target.closest('button'), target.closest('li')];
    const item = queue.items.get(row?.dataset.id);
    if (!button) return;
    const [retry, cross] = ['.retry', '.x'].map((name) => row.querySelector(name));
    if (button === retry) act(() => queue.retry(item), cross);
    else if (isActive(item)) act(() => queue.cancel(item), retry);
    else act(() => queue.remove(item), row.previousElementSibling?.querySelector('.x'));
  });
  $('retry-failed').addEventListener('click', () => act(() => queue.retry(...queue.all(hasFailed))));
  $('clear-finished').addEventListener('click', () => act(() => queue.remove(...queue.all(isFinished))));
}

const isFinished = (item) => !isActive(item) && !hasFailed(item);

function make(item) {
  const row = clone('row-template');
  const find = (selector) => row.querySelector(selector);
  const name = shown(item.name);
  row.dataset.id = item.id;
  [find('.stem').textContent, find('.tail').textContent] = splitName(name);
  [find('.kind').textContent, find('.full').textContent] = [badge(name), name];
  [find('.name').title, find('.meta').id] = [name, `meta-${item.id}`];
  find('progress').setAttribute('aria-describedby', `meta-${item.id}`);
  find('progress').ariaLabel = `Uploading ${name}`;
  find('.retry').ariaLabel = `Retry ${name}`;
  return row;
}

function patch(row, item, context, touch) {
  const find = (selector) => row.querySelector(selector);
  const bar = find('progress');
  row.dataset.status = item.status;
  find('.meta').textContent = describe(item, context);
  find('.retry').hidden = !canRetry(item);
  find('.x').ariaLabel = `${isActive(item) ? 'Cancel upload of' : 'Remove'} ${shown(item.name)}`;
  bar.hidden = item.status !== 'UPLOADING';
  if (item.phase === 'finishing') bar.removeAttribute('value');
  else if (!bar.hidden) bar.value = percent(item);
  if (item.phase === 'retrying') setTimeout(touch, TIMING.tick, item);
}

const percent = ({ loaded, size }) => Math.min(99, Math.floor((100 * loaded) / (size || 1))); // 100 is the answer's

function describe(item, { session, network, limits }) {
  const { status, phase, size, error, refusal } = item;
  if (refusal) return `Not added. ${refusalText(refusal, limits, size)}`;
  if (status === 'FAILED') return `Not uploaded. ${failureText(error, limits)}`;
  if (status === 'PENDING' && !network.up) return 'Waiting for connection';
  if (status === 'PENDING' && !session.active) return 'Waiting for sign-in';
  if (status !== 'UPLOADING') return `${DONE[status]} · ${bytes(size)}`;
  if (phase === 'finishing') return 'Finishing… sent, waiting for the server';
  const wait = Math.max(1, Math.ceil((item.retryAt - Date.now()) / 1000));
  if (phase === 'retrying') return failureText(error, limits, wait);
  const [loaded] = bytes(Math.min(item.loaded, size), size).split(' ');
  return `Uploading · ${percent(item)} % · ${loaded} of ${bytes(size)}`;
}

function patchHead(queue) {
  const items = queue.all();
  const [done, bad] = ['SUCCESS', 'FAILED'].map((status) => items.filter((item) => item.status === status).length);
  $('queue').hidden = !items.length;
  $('retry-failed').hidden = !items.some(hasFailed);
  $('clear-finished').hidden = !items.some(isFinished);
  $('queue-summary').textContent = `${done} of ${items.length} uploaded${bad ? ` · ${bad} failed` : ''}`;
}
