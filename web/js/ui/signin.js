// The sign-in form: one, on its page at first and in a dialog when a session ends.

import { $ } from './dom.js';

/** Let the form sign in; `session` announces the success. */
export function mountSignIn(session) {
  const [form, email, password, show] = ['sign-in', 'email', 'password', 'show-password'].map($);
  const button = form.querySelector('[type=submit]');

  function complain(text, ...fields) {
    $('sign-in-error').textContent = text;
    for (const field of [email, password]) {
      field.toggleAttribute('aria-invalid', fields.includes(field));
      field.setAttribute('aria-describedby', fields.includes(field) ? 'sign-in-error' : '');
    }
    fields[0]?.focus();
  }

  show.addEventListener('click', () => {
    const visible = password.type === 'password';
    password.type = visible ? 'text' : 'password';
    show.setAttribute('aria-pressed', visible);
  });

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
      if (password.type === 'text') show.click();
    } catch (error) {
      if (error.status === 401) complain(error.told, password, email);
      else complain(error.told || "The server can't be reached. Check your connection and try again.");
    } finally {
      button.ariaBusy = 'false';
    }
  });
}
