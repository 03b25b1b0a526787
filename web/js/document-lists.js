// Lists of documents: how large they are, and how a list goes together with what was known of it.

/** Return how many bytes documents have together. */
export const sizeOf = (documents) => documents.reduce((sum, { size }) => sum + size, 0);

/** Return a list without the documents of another. */
export function without(documents, others) {
  const ids = new Set(others.map(({ id }) => id));
  return documents.filter(({ id }) => !ids.has(id));
}

/** Return the known documents beneath `document`; none if that is unknown, for others may lie between. */
export function beneath(document, known) {
  const at = known.findIndex(({ id }) => id === document?.id);
  return at < 0 ? [] : known.slice(at + 1);
}

/** Count the unknown documents above the last known one of a page; those beneath only moved up into it. */
export function freshOf(page, known) {
  const ids = new Set(known.map(({ id }) => id));
  const last = page.findLastIndex(({ id }) => ids.has(id));
  const above = last < 0 ? page : page.slice(0, last);
  return above.filter(({ id }) => !ids.has(id)).length;
}

/** Return a list in which what is just being deleted, as is known, is so too. */
export function stillDeleting(documents, known) {
  const ids = new Set(known.filter(({ deleting }) => deleting).map(({ id }) => id));
  return documents.map((document) => (ids.has(document.id) ? { ...document, deleting: true } : document));
}

/** Return a page without those of its documents that were deleted while it was on its way. */
export function withoutGone({ documents, next, total, totalBytes }, ids) {
  const gone = documents.filter(({ id }) => ids.has(id));
  const left = without(documents, gone);
  return { documents: left, next, total: total - gone.length, totalBytes: totalBytes - sizeOf(gone) };
}
