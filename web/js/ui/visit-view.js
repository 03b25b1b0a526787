// What a visitor sees around the queue: what is asked for, until when, what has arrived, and why nothing more is taken.
import { TIMING } from '../config.js';
import { when } from '../format.js';
import { failureText } from '../reasons.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { mountBanner } from './banner.js';
import { $, focusFirst } from './dom.js';

const HEADING = { none: 'link_cut', wrong: 'link_wrong', over: 'over' };
const PLACES = ['visit-open', 'visit-name', 'zone']; // what an end takes away

/** Show what `visit` knows; `start` asks the server again. Return `setTitle`, which decorates the title by a function of
 * the title itself. */
export function mountVisit({ visit, queue, network, limits, start }) {
  let decorate = (title) => title;
  let isSlow = false;
  let told = false;
  let arrived = 0;

  function setTitle(decoration = decorate) {
    decorate = decoration;
    const page = visit.isSeen ? visit.title : $('closed-h').textContent;
    const name = limits.instanceName;
    document.title = decorate(page ? say('page_title', { page, name }) : name);
  }

  const isClosed = () => isEnded(visit) || !network.up || visit.error?.status !== undefined;

  function show() {
    const isReady = visit.isSeen && limits.types.length > 0;
    $('visit-view').hidden = !isReady;
    $('closed-view').hidden = isReady || !isClosed();
    $('loading').hidden = !isSlow || isReady || isClosed();
    if (visit.isSeen) showRequest(visit);
    if (!$('closed-view').hidden) showClosed(visit, network, limits);
    if (isReady && isEnded(visit)) showEnd();
    showBanner();
    setTitle();
  }

  function showEnd() {
    const focused = PLACES.some((id) => $(id).contains(document.activeElement));
    for (const id of PLACES) $(id).hidden = true;
    $('end-h').textContent = say(HEADING[visit.state]);
    $('end-text').textContent = whyEnded(visit);
    $('end').hidden = false;
    if (focused) focusFirst($('end-h'));
    if (!told) announce(whyEnded(visit), { alert: true });
    told = true;
  }

  function showThanks() {
    $('thanks').hidden = !arrived || queue.waiting > 0;
    $('thanks-text').textContent = say('visit_thanks', { count: arrived });
  }

  const showBanner = mountBanner(network);
  for (const store of [visit, network, limits]) store.addEventListener('change', show);
  queue.addEventListener('stored', () => {
    arrived += 1;
    showThanks();
  });
  for (const type of ['coming', 'add', 'change', 'remove']) queue.addEventListener(type, showThanks);
  $('closed-again').addEventListener('click', () => askAgain(start));
  $('skip').addEventListener('click', skip);
  setTimeout(() => {
    isSlow = true;
    show();
  }, TIMING.loadingText);
  show();
  return setTitle;
}

const isEnded = ({ state }) => state in HEADING;

/** Show what is asked for: in the words of whoever asks, without a link in them. */
function showRequest({ title, note, expiresAt, filesLeft }) {
  $('visit-h').textContent = title;
  $('visit-note').textContent = note;
  $('visit-note').hidden = !note;
  $('visit-open').textContent = say('visit_open', { time: when(expiresAt), count: filesLeft });
}

/** Show why there is nothing to see, and what can be done about it. */
function showClosed(visit, network, limits) {
  const { state, error } = visit;
  const canTry = !isEnded(visit) && network.up; // else the banner says so
  $('closed-h').textContent = say(HEADING[state] ?? 'visit_failed');
  $('closed-text').textContent = isEnded(visit) ? whyEnded(visit) : '';
  if (canTry) $('closed-text').textContent = failureText(error, limits);
  $('closed-again').hidden = !canTry;
}

function whyEnded({ state, expiresAt, filesLeft }) {
  if (state === 'none') return say('link_cut_text');
  if (state === 'wrong') return say('link_wrong_text');
  if (expiresAt && filesLeft === 0) return say('over_full');
  return say(expiresAt && expiresAt <= new Date() ? 'over_late' : 'over_text');
}

/** Ask once more, one question at a time. */
async function askAgain(start) {
  const button = $('closed-again');
  if (button.ariaBusy === 'true') return;
  button.ariaBusy = 'true';
  await start();
  button.ariaBusy = 'false';
  if (!button.checkVisibility()) focusFirst($('visit-h'), $('closed-h'));
}

/** Go past the header without the link's fragment, in whose place the secret stands. */
function skip(event) {
  event.preventDefault();
  $('main').focus();
}
