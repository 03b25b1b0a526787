// The few things every view does with the document.
import { TIMING } from '../config.js';

/** Return the element with this id. */
export const $ = (id) => document.getElementById(id);

/** Return a copy of a template's one element. */
export const clone = (id) => $(id).content.firstElementChild.cloneNode(true);

/** Return a function that runs `act` once, a frame after the first of many calls. */
export function soon(act) {
  let timer = 0;
  return () => { timer ||= setTimeout(() => { timer = 0; act(); }, TIMING.frame); };
}

/** Ask before something is lost; only `yes`, the name of the deed, means yes. `title` is texts and nodes. */
export function ask({ title, text, yes }) {
  const dialog = $('confirm');
  $('confirm-h').replaceChildren(...title);
  [$('confirm-text').textContent, $('confirm-yes').textContent, dialog.returnValue] = [text, yes, ''];
  dialog.showModal();
  return new Promise((resolve) => { // the last question's `close` may come only now
    dialog.onclose = () => dialog.open || resolve(dialog.returnValue === 'yes');
  });
}
