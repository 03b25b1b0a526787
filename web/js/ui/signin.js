// The sign-in form: one, on its page at first and in a dialog when a session ends.
import { $ } from './dom.js';

/** Let the form sign in; `session` announces the success. */
export function mountSignIn(session) {
  const [form, email, password, show] = ['sign-in', 'email', 'password', 'show-password'].map($);
  const button = form.querySelector('[type=submit]');

  function complain(text, ...fields) {
    $('sign-in-error').textContent = text;
    for (const field of [email, password]) field.ariaInvalid = String(fields.includes(field));
    fields[0]?.focus();
  }

  function reveal(visible) {
    password.type = visible ? 'text' : 'password';
    show.ariaPressed = String(visible);
  }

  show.addEventListener('click', () => reveal(password.type === 'password'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.ariaBusy === 'true') return;
    const empty = [email, password].filter((field) => !field.value.trim());
    if (empty.length) return complain('Enter your e-mail and your password.', ...empty);
    button.ariaBusy = 'true';
    try {
      await session.signIn(email.value.trim(), password.value);
      complain('');
      form.reset();
      reveal(false);
    } catch (error) {
      const reason = error.told || "The server can't be reached. Check your connection and try again.";
      complain(reason, ...(error.status === 401 ? [password, email] : []));
    }
    button.ariaBusy = 'false';
  });
}
