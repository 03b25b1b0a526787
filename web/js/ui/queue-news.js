// What is said of the queue: aloud, and in the window's title.
import { TIMING } from '../config.js';
import { count, shown } from '../format.js';
import { isActive } from '../queue.js';
import { failureText } from '../words.js';
import { announce } from './announcer.js';
import { soon } from './dom.js';

/** Tell what happens in `queue`; `onTitle(prefix)` gets "(3/12) Uploading – " while files are on their way. */
export function mountNews(queue, limits, onTitle) {
  const batch = new Set(); // what came in since the queue was last idle
  let [quarter, failedAt] = [0, -Infinity];

  const tell = soon(() => {
    const items = [...batch].filter(({ id }) => queue.items.has(id));
    const active = items.filter(isActive);
    const reached = quarterOf(items, active);
    onTitle(active.length ? `(${items.length - active.length}/${items.length}) Uploading – ` : '');
    if (active.length && reached > quarter) announce(`${reached * 25} % uploaded`);
    quarter = active.length ? Math.max(quarter, reached) : 0;
    if (active.length) return;
    if (items.length) announce(sum(items));
    batch.clear();
  });

  queue.addEventListener('add', ({ detail: { items, duplicates } }) => {
    const fresh = items.filter((item) => !item.refusal);
    const refused = items.length - fresh.length;
    const added = items.length && `${count(fresh.length)} added${refused ? `, ${refused} refused` : ''}`;
    const known = duplicates.length === 1 ? `${shown(duplicates[0])} is` : `${count(duplicates.length)} are`;
    announce([added, duplicates.length && `${known} already in the list`].filter(Boolean).join('. '));
    for (const item of fresh) batch.add(item);
    tell();
  });
  queue.addEventListener('change', ({ detail: { item } }) => {
    if (isActive(item)) batch.add(item); // a retry
    const failed = item.status === 'FAILED';
    const news = failed && performance.now() - failedAt > TIMING.burst;
    if (news) announce(`1 file failed: ${shown(item.name)}. ${failureText(item.error, limits)}`, { alert: true });
    if (failed) failedAt = performance.now();
    tell();
  });
  queue.addEventListener('remove', tell);
}

function quarterOf(items, active) {
  const all = items.reduce((total, { size }) => total + size, 0);
  const left = active.reduce((total, { size, loaded }) => total + Math.max(0, size - loaded), 0);
  return Math.min(3, Math.floor(4 * (1 - left / all)));
}

function sum(items) {
  const many = (status) => items.filter((item) => item.status === status).length;
  const [done, failed, gone] = ['SUCCESS', 'FAILED', 'CANCELLED'].map(many);
  return `${count(done)} uploaded${failed ? `, ${failed} failed` : ''}${gone ? `, ${gone} cancelled` : ''}`;
}
