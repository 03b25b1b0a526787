// The form that changes the password. The server's rules (credentials.py) are told first, and where they are broken.
import { request } from '../http.js';
import { say, sayWait } from '../words.js';
import { announce } from './announcer.js';
import { busily } from './dom.js';
import { complain, complainOf } from './field-error.js';
import { reasonOf } from './loaded-part.js';
import { mountReveal, reveal, THROTTLED } from './signin.js';

const LEAST = 8; // characters
const MOST = 72; // bytes in UTF-8

/** Let `form` change the password; `changed` is called when the other sessions have ended. */
export function mountPassword(form, { changed }, { session, limits, signal }) {
  const { current, new: wanted, username } = form.elements;
  const fields = [current, wanted];
  const problem = form.querySelector('.error');
  const done = form.querySelector('.done');
  username.defaultValue = session.user.email; // password managers ask whose password it is

  for (const field of fields) mountReveal(field, buttonOf(field));
  form.addEventListener('input', () => done.replaceChildren(), { signal });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busily(form.querySelector('[type=submit]'), submit);
  });
  signal.addEventListener('abort', empty);
  addEventListener('pagehide', empty, { signal });

  async function submit() {
    problem.textContent = '';
    if (complainOf(problems())) return;
    const json = { current: current.value, new: wanted.value };
    try {
      await session.authorised(() => request('/api/auth/password', { method: 'POST', json }));
      succeed();
    } catch (error) {
      tell(error);
    }
  }

  function problems() {
    return [
      { field: current, text: current.value ? '' : say('current_password_missing') },
      { field: wanted, text: unfit(wanted.value) },
    ];
  }

  function succeed() {
    empty();
    done.textContent = say('password_changed');
    announce(done.textContent, { seen: signal.aborted });
    if (!signal.aborted) changed();
  }

  function tell(error) {
    if (error.code === 'invalid_credentials') {
      complainOf([{ field: current, text: say('current_password_wrong') }]);
    } else if (error.status === 400) {
      complainOf([{ field: wanted, text: say('new_password_common') }]); // all else is known by now
    } else {
      problem.textContent =
        error.status === 429 ? sayWait(THROTTLED, error.retryAfter) : reasonOf(error, limits);
    }
  }

  function empty() {
    form.reset();
    for (const field of fields) {
      complain(field, '');
      reveal(field, buttonOf(field), false);
    }
    problem.textContent = '';
  }
}

const buttonOf = (field) => field.parentElement.querySelector('button');

/** Return what is wrong with a new password, as far as it can be known here; '' when nothing is. */
function unfit(password) {
  const missing = LEAST - Array.from(password).length;
  if (!password) return say('new_password_missing');
  if (missing > 0) return say('new_password_short', { count: missing });
  return new TextEncoder().encode(password).length > MOST ? say('new_password_long') : '';
}
