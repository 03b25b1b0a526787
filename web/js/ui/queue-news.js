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
  let quarter = 0;
  let failedAt = -Infinity;

  const tell = soon(() => {
    const items = [...batch].filter((item) => queue.items.has(item.id));
    const active = items.filter(isActive);
    onTitle(active.length ? `(${items.length - active.length}/${items.length}) Uploading – ` : '');
    if (active.length) quarter = Math.max(quarter, tellQuarter(items, active, quarter));
    else if (items.length) tellEnd(items);
    if (active.length) return;
    batch.clear();
    quarter = 0;
  });

  queue.addEventListener('add', ({ detail: { items, duplicates } }) => {
    const refused = items.filter((item) => item.refusal).length;
    const added = items.length - refused;
    const news = [];
    if (added || refused) news.push(`${count(added)} added${refused ? `, ${refused} refused` : ''}.`);
    if (duplicates.length === 1) news.push(`${shown(duplicates[0])} is already in the list.`);
    if (duplicates.length > 1) news.push(`${count(duplicates.length)} are already in the list.`);
    announce(news.join(' '));
    for (const item of items) if (!item.refusal) batch.add(item);
    tell();
  });
  queue.addEventListener('change', ({ detail: { item } }) => {
    if (item.status === 'PENDING') batch.add(item); // a retry
    if (item.status === 'FAILED' && performance.now() - failedAt > TIMING.burst) {
      announce(`1 file failed: ${shown(item.name)}. ${failureText(item.error, limits)}`, { alert: true });
    }
    if (item.status === 'FAILED') failedAt = performance.now();
    tell();
  });
  queue.addEventListener('remove', tell);
}

function tellQuarter(items, active, before) {
  const all = items.reduce((sum, item) => sum + item.size, 0);
  const left = active.reduce((sum, item) => sum + item.size - Math.min(item.loaded, item.size), 0);
  const quarter = Math.floor(4 * (1 - left / all));
  if (quarter > before && quarter < 4) announce(`${quarter * 25} % uploaded`);
  return quarter;
}

function tellEnd(items) {
  const [done, failed] = ['SUCCESS', 'FAILED'].map((status) => items.filter((item) => item.status === status).length);
  if (done || failed) announce(`${count(done)} uploaded${failed ? `, ${failed} failed` : ''}.`);
}
