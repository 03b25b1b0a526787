// The instance's name in the header. It is remembered, so that the next visit need not wait for the server's answer.
import { $ } from './dom.js';

const KEY = 'instance_name';

/** Return the name that the header had last, or the one that the HTML has. */
export function rememberedName() {
  try {
    return localStorage.getItem(KEY) ?? $('brand').textContent;
  } catch {
    return $('brand').textContent; // a browser that keeps nothing
  }
}

/** Show `name` in the header, and remember it. */
export function showName(name) {
  $('brand').textContent = name;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // The next visit shows it a moment later.
  }
}
