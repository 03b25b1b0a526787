// The queue on the page: its rows, what can be done with them, and its head.
import { hasFailed, isActive, isFinished } from '../item.js';
import { say } from '../words.js';
import { $, focusFirst, soon } from './dom.js';
import { foldedIds, foldSoon, patchFold } from './fold.js';
import { makeRow, patchRow } from './queue-row.js';

/** Keep the queue's section as `queue` says; `session`, `network` and `limits` explain why a row waits or failed. What was
 * uploaded some time ago is folded away if it `folds`. */
export function mountQueue(queue, context, { folds = true } = {}) {
  const rows = new Map();
  const dirty = new Set();

  function flush() {
    for (const item of dirty) {
      const row = rows.get(item.id);
      if (row) patchRow(row, item, context, touch);
      if (row && folds && item.status === 'SUCCESS') foldSoon(row);
    }
    dirty.clear();
    patchHead(queue);
  }
  const later = soon(flush);

  function touch(item) {
    dirty.add(item);
    later();
  }

  queue.addEventListener('add', ({ detail: { items } }) => {
    for (const item of items) {
      rows.set(item.id, makeRow(item));
      dirty.add(item);
    }
    flush();
    $('queue-list').append(...items.map(({ id }) => rows.get(id)));
  });
  queue.addEventListener('change', ({ detail: { item } }) => touch(item));
  queue.addEventListener('remove', ({ detail: { ids } }) => {
    for (const id of ids) {
      rows.get(id).remove();
      rows.delete(id);
    }
    patchFold();
    patchHead(queue);
  });
  for (const store of [context.session, context.network]) {
    store.addEventListener('change', () => queue.all().forEach(touch));
  }
  mountActions(queue, flush);
}

/** Let the buttons of the rows and of the head act. */
function mountActions(queue, flush) {
  /** Do it, show it, and put the focus where the next step is. */
  function act(deed, next) {
    deed();
    flush();
    focusFirst(next, $('queue-h'), $('choose'));
  }

  $('queue').addEventListener('click', ({ target }) => {
    const button = target.closest('li button');
    if (!button) return;
    const row = button.closest('li');
    const item = queue.items.get(row.dataset.id);
    const retry = row.querySelector('.retry');
    const cross = row.querySelector('.x');
    const above = row.previousElementSibling?.querySelector('.x');
    if (button === retry) act(() => queue.retry(item), cross);
    else if (isActive(item)) act(() => queue.cancel(item), retry);
    else act(() => queue.remove(item), above);
  });
  $('retry-failed').addEventListener('click', () => act(() => queue.retry(...queue.all(hasFailed))));
  $('clear-finished').addEventListener('click', () => act(() => queue.remove(...queue.all(isFinished))));
  $('clear-folded').addEventListener('click', () => {
    const folded = foldedIds().map((id) => queue.items.get(id));
    act(() => queue.remove(...folded));
  });
}

function patchHead(queue) {
  const items = queue.all();
  $('queue').hidden = !items.length;
  $('retry-failed').hidden = !items.some(hasFailed);
  $('clear-finished').hidden = !items.some(isFinished);
  $('queue-summary').textContent = summary(items);
}

/** Files that were refused never left: they are counted apart, and those that are held back not at all. */
function summary(items) {
  const sent = items.filter((item) => !item.refusal && !item.twin);
  const having = (status) => sent.filter((item) => item.status === status).length;
  const failed = having('FAILED');
  const refused = items.filter((item) => item.refusal).length;
  const values = { done: having('SUCCESS'), failed, refused, count: sent.length };
  if (!sent.length) return refused ? say('summary_none', values) : '';
  if (failed && refused) return say('summary_both', values);
  if (refused) return say('summary_refused', values);
  return say(failed ? 'summary_failed' : 'summary', values);
}
