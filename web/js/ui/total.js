// The progress of all that is on its way, and the way out of it. It stays in sight while the page is scrolled.
import { TIMING } from '../config.js';
import { bytes, lasting, part } from '../format.js';
import { isActive } from '../item.js';
import { Pace } from '../pace.js';
import { say } from '../words.js';
import { $, ask, focusFirst } from './dom.js';

const MANY = 3; // more than so many are not given up without a question

/** Return the function that shows a batch's `state`; one without active files hides the block. */
export function mountTotal(queue, batch) {
  const pace = new Pace();
  let timer = 0;

  function show(state) {
    clearTimeout(timer);
    if (!state.active) {
      pace.reset();
      hide();
      return;
    }
    const now = performance.now();
    pace.note(now, state.loaded);
    $('total').hidden = false;
    $('total-bar').value = Math.min(99, Math.floor(100 * state.share)); // 100 is the end's
    $('total-text').textContent = describe(state, pace, now);
    timer = setTimeout(() => show(batch.state()), TIMING.tick);
  }

  $('cancel-all').addEventListener('click', () => cancelAll(queue));
  return show;
}

function hide() {
  const focused = $('total').contains(document.activeElement);
  $('total').hidden = true;
  if (focused) focusHeading();
}

function describe({ active, loaded, size }, pace, now) {
  const values = { count: active, loaded: part(loaded, size), size: bytes(size) };
  const speed = pace.speed(now);
  if (!speed) return say('total', values);
  const moving = { ...values, speed: bytes(Math.round(speed)) };
  const left = pace.timeLeft(now, size - loaded);
  return left ? say('total_left', { ...moving, time: lasting(left) }) : say('total_moving', moving);
}

async function cancelAll(queue) {
  const count = queue.all(isActive).length;
  const question = {
    title: [say('cancel_all_question', { count })],
    text: say('cancel_all_warning'),
    yes: say('cancel_all_yes'),
  };
  if (count <= MANY || (await ask(question))) {
    queue.cancel(...queue.all(isActive));
    focusHeading();
  } else if ($('total').hidden) focusHeading(); // all ended while the question stood
}

/** The heading takes over the focus of what has gone. */
const focusHeading = () => focusFirst($('queue-h'), $('choose'));
