// The sign-in form: one, on its page at first and in a dialog when a session ends.
import { say, sayWait } from '../words.js';
import { $ } from './dom.js';

/** How the wait after too many passwords is told. */
export const THROTTLED = {
  seconds: 'sign_in_throttled',
  minutes: 'sign_in_throttled_minutes',
  unknown: 'sign_in_throttled_unknown',
};

/** Let the form sign in, and stay until what comes next is `loaded`; `session` announces the success. */
export function mountSignIn(session, loaded) {
  const form = $('sign-in');
  const button = form.querySelector('[type=submit]');

  mountReveal($('password'), $('show-password'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.ariaBusy === 'true') return;
    button.ariaBusy = 'true';
    await submit(session, loaded);
    button.ariaBusy = 'false';
  });
}

/** Let nothing be left of what was typed and what was said of it. */
export function emptySignIn() {
  complain('');
  $('sign-in').reset();
  reveal($('password'), $('show-password'), false);
}

async function submit(session, loaded) {
  const fields = [$('email'), $('password')];
  const empty = fields.filter((field) => !field.value.trim());
  if (empty.length) {
    complain(say('sign_in_incomplete'), ...empty);
    return;
  }
  try {
    await session.signIn($('email').value.trim(), $('password').value);
    await loaded;
    emptySignIn();
  } catch (error) {
    const wrong = error.code === 'invalid_credentials' ? [$('password'), $('email')] : [];
    complain(reasonOf(error), ...wrong);
  }
}

function reasonOf({ code, told, retryAfter }) {
  if (code === 'invalid_credentials') return say('sign_in_wrong');
  if (code === 'no_cookie') return say('sign_in_no_cookie');
  if (code === 'too_many_requests') return sayWait(THROTTLED, retryAfter);
  return told || say('unreachable_now');
}

/** Show what is wrong, mark the fields it is about, and put the focus on the first of them. */
function complain(text, ...wrong) {
  $('sign-in-error').textContent = text;
  for (const field of [$('email'), $('password')]) field.ariaInvalid = String(wrong.includes(field));
  wrong[0]?.focus();
}

/** Let `button` show and hide the password in `field`. */
export function mountReveal(field, button) {
  button.addEventListener('click', () => reveal(field, button, field.type === 'password'));
}

/** Show the password in `field`, or hide it. */
export function reveal(field, button, visible) {
  field.type = visible ? 'text' : 'password';
  button.ariaPressed = String(visible);
}
