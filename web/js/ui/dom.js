// The few things every view does with the document.

import { TIMING } from '../config.js';

/** Return the element with this id. */
export const $ = (id) => document.getElementById(id);

/** Return a copy of a template's one element. */
export const clone = (id) => $(id).content.firstElementChild.cloneNode(true);

/** Return a function that runs `act` once, a frame after the first of many calls. */
export function soon(act) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => { timer = 0; act(); }, TIMING.frame);
  };
}
