// Time that passes, and time that is up.

/** Wait for so many milliseconds; 0 lets the page draw breath. */
export function pause(milliseconds) {
  return new Promise((wake) => {
    setTimeout(wake, milliseconds);
  });
}

/** Return what `promise` brings; raise an Error if that takes more than so many milliseconds. */
export async function within(milliseconds, promise) {
  let timer = 0;
  const limit = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new Error('Time is up.')), milliseconds);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
