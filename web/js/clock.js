// Time that passes.

/** Wait for so many milliseconds; 0 lets the page draw breath. */
export function pause(milliseconds) {
  return new Promise((wake) => {
    setTimeout(wake, milliseconds);
  });
}
