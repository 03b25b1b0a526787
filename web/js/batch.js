// What came into the queue since it was last idle, as one whole.
import { isActive } from './item.js';

/** Follows `queue`. What was refused or held back is no part of it; `clear` ends it, once its end was told. */
export class Batch {
  #items = new Set();
  #furthest = 0;

  constructor(queue) {
    queue.addEventListener('add', ({ detail: { items } }) => {
      for (const item of items) if (!item.refusal && !item.twin) this.#take(item);
    });
    queue.addEventListener('change', ({ detail: { item } }) => {
      if (item.status === 'PENDING') this.#furthest = 0; // it is sent from its first byte on
      if (isActive(item)) this.#take(item); // a retry
    });
    queue.addEventListener('remove', () => {
      for (const item of this.#items) if (!queue.items.has(item.id)) this.#items.delete(item);
    });
  }

  clear() {
    this.#items.clear();
    this.#furthest = 0;
  }

  /** Return how many files there are in `status`. */
  having(status) {
    return [...this.#items].filter((item) => item.status === status).length;
  }

  /** Return where it stands: its files and bytes. What failed or was cancelled has no bytes to send any more. */
  state() {
    const items = [...this.#items];
    const active = items.filter(isActive);
    const stored = sum(items.filter(({ status }) => status === 'SUCCESS').map(({ size }) => size));
    const size = stored + sum(active.map((item) => item.size));
    const loaded = stored + sum(active.map((item) => Math.min(item.size, item.loaded)));
    this.#furthest = Math.max(this.#furthest, size ? loaded / size : 0);
    return {
      count: items.length,
      active: active.length,
      done: items.length - active.length,
      size,
      loaded,
      share: this.#furthest, // 0 to 1; it never falls while nothing is added or put back
    };
  }

  /** More to send is a longer way: only then the share may fall. */
  #take(item) {
    if (this.#items.has(item)) return;
    this.#items.add(item);
    this.#furthest = 0;
  }
}

const sum = (sizes) => sizes.reduce((total, size) => total + size, 0);
