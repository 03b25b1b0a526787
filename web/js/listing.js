// Which list of documents is wanted: whose, in which order, and what is searched. The tab remembers it, but no search.
const KEY = 'listing';
const MOST = 200; // what the server gives at once
const ORDERS = ['newest', 'name', 'size'];

/** How many documents are read at first, and then at a time. */
export const PAGE = 50;

/** What is listed when nobody has asked for anything else. */
export const PLAIN = Object.freeze({ search: '', sort: 'newest', everyones: false });

/** Tell whether a listing is of all one's own documents, newest first. */
export const isPlain = ({ search, sort, everyones }) => !search && sort === 'newest' && !everyones;

/** Return the listing with which this tab begins: in the order that was wanted last. */
export function remembered() {
  const { sort, everyones } = JSON.parse(sessionStorage.getItem(KEY)) ?? PLAIN;
  return { ...PLAIN, sort: ORDERS.includes(sort) ? sort : PLAIN.sort, everyones: everyones === true };
}

/** Let a reload of this tab begin with the listing's order. */
export function remember({ sort, everyones }) {
  sessionStorage.setItem(KEY, JSON.stringify({ sort, everyones }));
}

/** Let the tab begin as a new one does. */
export function forget() {
  sessionStorage.removeItem(KEY);
}

/** Return the address of a page of the listing: `limit` documents after the cursor `before`, if there is one. */
export function addressOf({ search, sort, everyones }, limit, before) {
  const query = new URLSearchParams({ limit });
  if (before) query.set('before', before);
  if (search) query.set('q', search);
  if (sort !== PLAIN.sort) query.set('sort', sort);
  if (everyones) query.set('all', 1);
  return `/api/documents?${query}`;
}

/** Return the beginning of a list of which `shown` documents are shown, by `ask(limit, before)`: all of that if `isWhole`,
 * else its first page. */
export async function readBeginning(isWhole, shown, ask) {
  const page = await ask(Math.min(MOST, Math.max(PAGE, shown)));
  while (isWhole && page.next && page.documents.length < shown) {
    const following = await ask(Math.min(MOST, shown - page.documents.length), page.next);
    page.documents.push(...following.documents);
    page.next = following.next;
  }
  return page;
}

/** Tell whether the listing's search finds a file that was just stored, as well as a page can know. */
export const finds = ({ search }, { filename }) => fold(filename).includes(fold(search));

/** Return a text without its case, nearly as the server does: "ß" is "ss", and so is "SS". */
function fold(text) {
  const folded = text.normalize('NFD').toUpperCase().toLowerCase().replaceAll('ς', 'σ');
  return folded.normalize('NFC');
}
