// The line over the page while something keeps it from going on: first of all a lost connection.
import { say } from '../words.js';
import { announce } from './announcer.js';
import { $, focusFirst } from './dom.js';

const NOTHING = { text: () => '', act() {} };

/** Let the banner tell that the connection is lost, else the `text()` of something that wants a sign-in, to which `act`
 * leads. Return the function that shows what is true now. */
export function mountBanner(network, { text, act } = NOTHING) {
  const button = $('banner-action');
  let said = '';

  function now() {
    if (network.up) return text();
    return say(navigator.onLine ? 'unreachable' : 'offline');
  }

  function show() {
    const sentence = now();
    if (sentence && sentence !== said) announce(sentence, { alert: true });
    const isLeft = !sentence && document.activeElement === button;
    if (isLeft) focusFirst($('choose'), document.querySelector('.view:not([hidden]) h1'));
    said = sentence;
    $('banner').hidden = !sentence;
    $('banner-text').textContent = sentence;
    if (!isBusy(button)) button.textContent = say(network.up ? 'sign_in' : 'try_now');
  }

  /** Ask the server at once, and tell that it is asked and what came of it. */
  async function tryNow() {
    if (isBusy(button)) return;
    button.ariaBusy = 'true';
    button.textContent = say('trying');
    const status = await network.check();
    button.ariaBusy = 'false';
    show();
    if (status) announce(say('connection_back'), { seen: true });
    else announce(say('still_no_connection'), { alert: true, seen: true });
  }

  for (const type of ['online', 'offline']) addEventListener(type, show); // it tells which of the two it is
  button.addEventListener('click', () => (network.up ? act() : tryNow()));
  return show;
}

const isBusy = (button) => button.ariaBusy === 'true';
