// The sign-in form: one, on its page at first and in a dialog when a session ends.
import { MINUTES_FROM } from '../config.js';
import { say } from '../words.js';
import { $ } from './dom.js';

/** Let the form sign in, and stay until what comes next is `loaded`; `session` announces the success. */
export function mountSignIn(session, loaded) {
  const form = $('sign-in');
  const button = form.querySelector('[type=submit]');

  $('show-password').addEventListener('click', () => reveal($('password').type === 'password'));
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
  reveal(false);
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
  if (code === 'too_many_requests') return throttledText(retryAfter);
  return told || say('unreachable_now');
}

function throttledText(seconds) {
  if (!seconds) return say('sign_in_throttled_unknown');
  if (seconds < MINUTES_FROM) return say('sign_in_throttled', { count: seconds });
  return say('sign_in_throttled_minutes', { count: Math.ceil(seconds / 60) });
}

/** Show what is wrong, mark the fields it is about, and put the focus on the first of them. */
function complain(text, ...wrong) {
  $('sign-in-error').textContent = text;
  for (const field of [$('email'), $('password')]) field.ariaInvalid = String(wrong.includes(field));
  wrong[0]?.focus();
}

function reveal(visible) {
  $('password').type = visible ? 'text' : 'password';
  $('show-password').ariaPressed = String(visible);
}
