// One's own documents, whatever is listed now: whether a file is among them already.
import { without } from './document-lists.js';
import { isPlain } from './listing.js';

/** Knows the `newest` of one's documents, as they were listed last. */
export class OwnFiles {
  newest = [];

  constructor(session) {
    this.session = session;
  }

  /** Tell whether a document is of whoever is signed in; only a collector's list has others. */
  has({ owner }) {
    return !owner || owner.id === this.session.user?.id;
  }

  /** Take in what is listed, if it is one's newest documents. */
  heed(listing, documents) {
    if (isPlain(listing)) this.newest = documents;
  }

  add(document) {
    this.newest = [document, ...this.newest];
  }

  drop(document) {
    this.newest = without(this.newest, [document]);
  }

  /** Return the newest document of this name and size, or undefined; what is `listed` is known too. */
  namesake({ name, size }, listed) {
    return this.#all(listed).find(
      (document) =>
        !document.deleting && document.size === size && document.filename.normalize('NFC') === name,
    );
  }

  /** Return the newest other document with the content of a stored file, or undefined. */
  sameContent({ id, sha256 }, listed) {
    return this.#all(listed).find((document) => document.id !== id && document.sha256 === sha256);
  }

  #all(listed) {
    return [...this.newest, ...listed.filter((document) => this.has(document))];
  }
}
