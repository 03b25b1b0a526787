// The documents of the list that somebody has chosen, to do something with all of them.

/** Knows which documents are chosen, by their ids; emits `change`. */
export class Selection extends EventTarget {
  #ids = new Set();
  #last = ''; // the document that was touched last: a range begins there

  get size() {
    return this.#ids.size;
  }

  has({ id }) {
    return this.#ids.has(id);
  }

  /** Return those of `documents` that are chosen, in their order. */
  of(documents) {
    return documents.filter((document) => this.has(document));
  }

  /** Choose a document, or let it go if not `chosen`; with a `list`, all in it from the one that was touched last. */
  touch(document, chosen, list = []) {
    const range = this.#range(document, list);
    this.#last = document.id;
    this.set(range, chosen);
  }

  /** Choose all of `documents`, or let them go if not `chosen`. */
  set(documents, chosen) {
    for (const { id } of documents) {
      if (chosen) this.#ids.add(id);
      else this.#ids.delete(id);
    }
    this.dispatchEvent(new Event('change'));
  }

  clear() {
    this.#ids.clear();
    this.#last = '';
    this.dispatchEvent(new Event('change'));
  }

  /** Let go what is not among `documents` any more: nobody sees it. */
  keep(documents) {
    this.#ids = new Set(this.of(documents).map(({ id }) => id));
  }

  #range(document, list) {
    const places = [this.#last, document.id].map((wanted) => list.findIndex(({ id }) => id === wanted));
    const from = Math.min(...places);
    return from < 0 ? [document] : list.slice(from, Math.max(...places) + 1);
  }
}
