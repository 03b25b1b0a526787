// The few things every view does with the document.
import { TIMING } from '../config.js';

/** Return the element with this id. */
export const $ = (id) => document.getElementById(id);

/** Put the focus on the first of `places` that can be seen. */
export const focusFirst = (...places) => places.find((element) => element?.checkVisibility())?.focus();

/** Return a copy of a template's one element. */
export const clone = (id) => $(id).content.firstElementChild.cloneNode(true);

/** Return a function that runs `act` once, a frame after the first of many calls. */
export function soon(act) {
  let timer = 0;
  const run = () => {
    timer = 0;
    act();
  };
  return () => {
    if (!timer) timer = setTimeout(run, TIMING.frame);
  };
}

/** Ask before something is lost; only `yes`, the name of the deed, means yes. `title` is texts and nodes. */
export function ask({ title, text, yes }) {
  const dialog = $('confirm');
  $('confirm-h').replaceChildren(...title);
  $('confirm-text').textContent = text;
  $('confirm-yes').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      if (!dialog.open) resolve(dialog.returnValue === 'yes'); // else it is the last question's, come late
    };
  });
}

/** Do what `button` asks for, once at a time; return what came of it, or undefined if that is on its way already. */
export async function busily(button, act) {
  if (button.ariaBusy === 'true') return undefined;
  button.ariaBusy = 'true';
  try {
    return await act();
  } finally {
    button.ariaBusy = 'false';
  }
}

/** Let `element` say `text`; one that stays as it is must not be spoken or selected anew. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
