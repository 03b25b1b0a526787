// Where the API lies and how patient the client is: each is said here and nowhere else.

/** The API's origin; empty when it is the page's own. A page served elsewhere names it in `<meta name="api">`. */
export const API = globalThis.document?.querySelector('meta[name="api"]')?.content.replace(/\/+$/, '') ?? '';

/** The most that is taken of a folder: files, and levels of folders. */
export const FOLDER = { count: 10_000, depth: 32 };

/** Milliseconds, read at the moment of use: tests shorten them with `Object.assign(TIMING, …)`. */
export const TIMING = {
  reading: 15_000, // the longest wait for a disk: the beginning of a file, the next entries of a folder
  request: 30_000,
  refresh: 10_000,
  startAgain: 2_000, // from a start that failed to the next
  probe: 8_000, // the longest wait for an answer
  probes: [1_000, 2_000, 4_000, 8_000, 16_000, 30_000], // between probes of a lost connection; the last repeats
  margin: 30_000, // a token that ends sooner is refreshed before it is used
  lock: 15_000, // the wait for another tab's refresh
  lostRace: 1_000, // how long a refused refresh looks for the winner's cookie
  stall: 30_000, // no progress while bytes remain
  finish: 120_000, // all bytes sent, no answer
  watch: 1_000, // how often these two are looked at
  retries: [1_000, 2_000, 4_000], // before the second, third and fourth try
  jitter: 0.2,
  listFresh: 300_000,
  loadingText: 300,
  typing: 300, // from the last letter to the search
  looking: 1_000, // files are looked into for so long without a row
  minute: 60_000, // "Updated 2 minutes ago"
  settle: 1_000, // from a cancelled "Checking…" to the look at what became of it
  keep: 200, // until an added file is worth keeping
  rollCall: 500, // for the other tabs to name their files
  frame: 16, // a timer, because requestAnimationFrame rests in a hidden tab
  tick: 1_000, // "Trying again in 8 seconds"
  fold: 10_000, // from a row's "Uploaded" to the line that stands for all of these
  dragGone: 1_000, // no dragover for so long: the drag is over
  burst: 5_000, // failures closer together are one piece of news
  notice: 6_000, // how long a notice shows
  speakGap: 1_000,
  speakClear: 5_000,
  speakAfterFocus: 500,
};
