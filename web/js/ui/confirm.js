// The one question the page asks before something is lost.

import { $ } from './dom.js';

/** Ask; the answer is no unless the person says `yes`, the name of the deed. `title` is text or nodes. */
export function ask({ title, text, yes }) {
  const dialog = $('confirm');
  $('confirm-h').replaceChildren(...title);
  $('confirm-text').textContent = text;
  $('confirm-yes').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
