// The form that asks for files. What the server decides is left to it; what it refuses is told beside the field.
import { duration } from '../format.js';
import { failureText } from '../reasons.js';
import { SignedOut } from '../session.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { busily } from './dom.js';
import { complainOf } from './field-error.js';

const MOST = { title: 200, note: 2000, files: 10_000 }; // the server's limits, to be told
const CHECKED = ['title', 'note', 'files'];

// A 400 has one code for all reasons: these are told apart by what its sentence says.
const ABOUT = {
  title: "request's title",
  note: "request's note",
  files: 'request takes',
  full: 'requests already',
};

/** Let the form make requests in `store` until `signal` aborts, and tell `onMade` of each. */
export function mountForm(form, { store, limits, signal, onMade }) {
  for (const option of form.elements.days.options) option.textContent = duration(Number(option.value), 'day');

  const submit = async () => {
    const made = await make(form, store, limits);
    if (made) onMade(made);
    else if (signal.aborted) tellElsewhere(form);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busily(form.querySelector('[type=submit]'), submit);
  });
}

/** Return the request that was made, or null after telling why there is none. */
async function make(form, store, limits) {
  const wanted = wantedOf(form.elements);
  if (tell(form, missingIn(wanted))) return null;
  try {
    const made = await store.make(wanted);
    form.reset();
    return made;
  } catch (error) {
    if (!(error instanceof SignedOut)) tell(form, faultsOf(error, wanted, limits));
    return null;
  }
}

function wantedOf({ title, note, days, files }) {
  return {
    title: title.value.trim(),
    note: note.value.trim(),
    expiresInDays: Number(days.value),
    maxFiles: files.valueAsNumber,
  };
}

/** Return what is wrong with `wanted` that needs no server to tell: texts by the names of the fields. */
function missingIn({ title, maxFiles }) {
  const missing = {};
  if (!title) missing.title = say('request_title_missing');
  const isFit = Number.isInteger(maxFiles) && maxFiles >= 1 && maxFiles <= MOST.files;
  if (!isFit) missing.files = say('request_files_wrong', { most: MOST.files });
  return missing;
}

/** Return why the server did not make it: a text by the name of the field it is about, or of the `whole` form. */
function faultsOf(error, wanted, limits) {
  const { status, told = '' } = error;
  if (status === undefined) return { whole: say('unreachable_now') };
  if (status === 413) return wanted.title.length > wanted.note.length ? longTitle() : longNote(wanted);
  if (status === 400 && told.includes(ABOUT.title)) return longTitle();
  if (status === 400 && told.includes(ABOUT.note)) return longNote(wanted);
  if (status === 400 && told.includes(ABOUT.files)) return { files: failureText(error, limits) };
  if (status === 400 && told.includes(ABOUT.full)) return { whole: say('requests_full') };
  return { whole: failureText(error, limits) };
}

const longTitle = () => ({ title: say('request_title_refused', { most: MOST.title }) });

function longNote({ note }) {
  return { note: say('request_note_refused', { most: MOST.note, count: Array.from(note).length }) };
}

/** Say what is wrong beside its field, and put the focus there; return whether any field is. */
function tell(form, faults) {
  form.querySelector('.error').textContent = faults.whole ?? '';
  return complainOf(CHECKED.map((name) => ({ field: form.elements[name], text: faults[name] ?? '' })));
}

/** Who has left the page is told of the failure where he is. */
function tellElsewhere(form) {
  const texts = Array.from(form.querySelectorAll('[role=alert]'), (place) => place.textContent);
  const text = texts.find(Boolean);
  if (text) announce(text, { alert: true, seen: true });
}
