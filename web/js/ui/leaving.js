// The browser's question before the page is left.

/** Warn before the page is left, but only while something of `queue` waits. */
export function guardLeaving(queue) {
  const guard = () => {
    window.onbeforeunload = queue.waiting ? (event) => event.preventDefault() : null;
  };
  for (const type of ['coming', 'add', 'change', 'remove']) queue.addEventListener(type, guard);
}
