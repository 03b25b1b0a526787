// A text to take along: the browser copies it, or, over plain http or where it is forbidden, the reader.
import sentences from '../words/copy.js';
import { learn, say } from '../words.js';
import { announce } from './announcer.js';

learn(sentences);

/** Let `button` copy what stands in `field`, an input or a text area, until `signal` aborts; `said` tells that it is
 * done. */
export function mountCopy(field, button, { signal, said = say('copied') }) {
  const act = async () => {
    if (await copied(field.value)) announce(said, { seen: true });
    else selectFor(field);
  };
  button.addEventListener('click', act, { signal });
}

/** Return whether the browser has copied `text`; it has no clipboard for pages that came over plain http. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Select all of `field`, so that one stroke of the keys copies it. */
function selectFor(field) {
  field.focus();
  field.select();
  announce(say('copy_by_hand'), { alert: true, seen: true });
}
