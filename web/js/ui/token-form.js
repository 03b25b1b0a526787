// Making an API token, and showing it the one time that it can be seen.
import { API } from '../config.js';
import { duration } from '../format.js';
import { NetworkTrouble, remove, request } from '../http.js';
import { phrase, say } from '../words.js';
import { mountCopy } from './copy-field.js';
import { busily } from './dom.js';
import { complain, complainOf } from './field-error.js';
import { reasonOf } from './loaded-part.js';
import { isolate } from './names.js';

const PATH = '/api/tokens';
const YEAR = 365; // days
const UNSHOWN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u; // what the server does not take in a name

/** Return the command of docs/scripts.md for one file, with this token. */
export function uploadCommand(token) {
  const place = `${API || location.origin}/api/upload/`;
  return `curl -gsS -H 'Authorization: Bearer ${token}' -H 'Accept: text/plain' -T report.pdf "${place}" | sha256sum -c --strict`;
}

/** Let the form in `part` make tokens; `made` is called after each. Return how to `forget` the one that is shown, if it
 * has this id. */
export function mountTokenForm(part, { made }, { session, limits, signal }) {
  const form = part.querySelector('form');
  const { name } = form.elements;
  const problem = form.querySelector('.error');
  const once = mountOnce(part.querySelector('.once'), signal);

  fillTerms(form.elements.days);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busily(form.querySelector('[type=submit]'), submit);
  });
  part.querySelector('.finish').addEventListener('click', finish);
  signal.addEventListener('abort', once.empty);
  addEventListener('pagehide', finish, { signal });

  async function submit() {
    problem.textContent = '';
    if (complainOf([{ field: name, text: unfit(name.value) }])) return;
    try {
      const json = wishOf(form);
      const token = await session.authorised(() => request(PATH, { method: 'POST', json }));
      if (signal.aborted) discard(token);
      else show(token);
      made();
    } catch (error) {
      tell(error);
    }
  }

  function show(token) {
    form.reset();
    form.hidden = true;
    once.show(token);
  }

  /** Nobody will ever see it: the page has gone. */
  function discard({ id }) {
    session.authorised(() => remove(`${PATH}/${id}`)).catch(() => {});
  }

  function tell(error) {
    if (error.status === 400)
      problem.textContent = say('tokens_too_many'); // all else is known by now
    else if (error instanceof NetworkTrouble) problem.textContent = say('token_unsure');
    else problem.textContent = reasonOf(error, limits);
    if (error instanceof NetworkTrouble) made();
  }

  function finish() {
    const focused = part.querySelector('.once').contains(document.activeElement);
    once.empty();
    form.hidden = false;
    complain(name, '');
    if (focused) name.focus();
  }

  return (id) => {
    if (id === once.id()) finish();
  };
}

/** The place where a token is shown once. */
function mountOnce(place, signal) {
  const text = place.querySelector('.token');
  const command = place.querySelector('.command');
  const [copyText, copyCommand] = place.querySelectorAll('.copy');
  let shownId = '';

  mountCopy(text, copyText, { signal, said: say('token_copied') });
  mountCopy(command, copyCommand, { signal, said: say('token_command_copied') });

  function show({ id, name, token }) {
    shownId = String(id);
    place.querySelector('h3').replaceChildren(...phrase('token_made', { name: isolate(name) }));
    text.value = token;
    command.value = uploadCommand(token);
    place.hidden = false;
    place.querySelector('h3').focus();
  }

  function empty() {
    shownId = '';
    text.value = '';
    command.value = '';
    place.hidden = true;
  }

  return { show, empty, id: () => shownId };
}

/** Say how long each of the terms is; "no end" is said in the HTML. */
function fillTerms({ options }) {
  for (const option of options) {
    const days = Number(option.value);
    if (days) option.textContent = days % YEAR ? duration(days, 'day') : duration(days / YEAR, 'year');
  }
}

function wishOf({ elements: { name, scope, days } }) {
  return { name: name.value.trim(), scope: scope.value, expiresInDays: Number(days.value) || null };
}

function unfit(name) {
  if (!name.trim()) return say('token_name_missing');
  return UNSHOWN.test(name.trim()) ? say('token_name_wrong') : '';
}
