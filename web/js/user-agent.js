// What a User-Agent header says in plain words, as far as it says so: a guess among the usual, not a proof.

const LONGEST = 60; // letters of a header that tells nothing we know
const ELLIPSIS = '\u2026';

// The first that fits: Edge calls itself Chrome too, and Chrome calls itself Safari.
const BROWSERS = {
  Edge: /\bEdg(?:e|A|iOS)?\//,
  Opera: /\bOPR\//,
  Firefox: /\b(?:Firefox|FxiOS)\//,
  Chrome: /\b(?:(?:Headless)?Chrome|CriOS)\//,
  Safari: /\b(?:Macintosh|iPhone|iPad)\b.*\bVersion\/.*\bSafari\//,
  curl: /^curl\//,
};

// Android is a Linux, and says so.
const SYSTEMS = {
  Windows: /\bWindows NT\b/,
  Android: /\bAndroid\b/,
  iOS: /\b(?:iPhone|iPad|iPod)\b/,
  macOS: /\bMacintosh\b/,
  ChromeOS: /\bCrOS\b/,
  Linux: /\b(?:Linux|X11)\b/,
};

/** Return the `browser` and the `system` that a header names; '' for what is not known. */
export function readUserAgent(header) {
  return { browser: firstOf(BROWSERS, header), system: firstOf(SYSTEMS, header) };
}

/** Return a header as far as it fits into a row. */
export function cutShort(header) {
  const letters = Array.from(header);
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join('').trimEnd()}${ELLIPSIS}` : header;
}

function firstOf(patterns, header) {
  const names = Object.keys(patterns);
  return names.find((name) => patterns[name].test(header)) ?? '';
}
