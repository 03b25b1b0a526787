// What the page says, in the reader's language. The sentences of the frame and the queue lie in words/<language>.js, one
// module a language. All are loaded, three kilobytes each: to wait for one that is chosen first costs a slow line more.
// A part that is fetched later brings its own, in all languages, from words/<part>.js.
import de from './words/de.js';
import en from './words/en.js';

const LANGUAGES = { de, en };
const FALLBACK = 'en-GB';
const MINUTES_FROM = 120; // seconds: a longer wait is told in minutes
const languageOf = (tag) => tag.split('-')[0].toLowerCase();

/** The reader's first language that the page speaks, with its region: `de-AT`. It writes numbers and dates too. */
export const locale = navigator.languages.find((tag) => languageOf(tag) in LANGUAGES) ?? FALLBACK;

const words = { ...LANGUAGES[languageOf(locale)] };
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);
const alternatives = new Intl.ListFormat(locale, { type: 'disjunction' });

/** Take in the sentences of a part, `{ de, en }`, and write those that the HTML has waited for. */
export function learn(sentences) {
  const learnt = sentences[languageOf(locale)] ?? sentences[languageOf(FALLBACK)];
  Object.assign(words, learnt);
  translate(learnt);
}

/** Return the sentence `key` with its `{placeholders}` filled; `count` chooses among its plural forms. */
export function say(key, values = {}) {
  const entry = words[key];
  const text = typeof entry === 'string' ? entry : entry[plurals.select(values.count)];
  return text.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

/** Return the sentence for a wait of `seconds`; `keys` names those for `{seconds, minutes, unknown}`. */
export function sayWait(keys, seconds) {
  if (!seconds) return say(keys.unknown);
  if (seconds < MINUTES_FROM) return say(keys.seconds, { count: seconds });
  return say(keys.minutes, { count: Math.ceil(seconds / 60) });
}

/** Return a sentence as texts and nodes, with `nodes` in the places of its placeholders. */
export function phrase(key, nodes) {
  return words[key].split(/\{(\w+)\}/).map((piece) => nodes[piece] ?? piece);
}

/** Return alternatives as people say them: "PDF, DOCX or TXT". */
export const either = (names) => alternatives.format(names);

/** Write the `known` sentences where the HTML names them: `data-say` a text, `data-say-label` a name. */
export function translate(known = words) {
  document.documentElement.lang = locale;
  document.documentElement.dir = words.direction;
  const templates = [...document.querySelectorAll('template')].map(({ content }) => content);
  for (const root of [document, ...templates]) {
    for (const element of root.querySelectorAll('[data-say]')) {
      if (element.dataset.say in known) element.textContent = say(element.dataset.say);
    }
    for (const element of root.querySelectorAll('[data-say-label]')) {
      if (element.dataset.sayLabel in known) element.ariaLabel = say(element.dataset.sayLabel);
    }
  }
}

function written(value) {
  return typeof value === 'number' ? numbers.format(value) : value;
}
