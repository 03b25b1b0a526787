// The page that asks for files: the form that makes a link, and the requests that were made.
import { TIMING } from '../config.js';
import { ago, shown } from '../format.js';
import { failureText } from '../reasons.js';
import { RequestStore } from '../requests.js';
import { SignedOut } from '../session.js';
import sentences from '../words/requests.js';
import { learn, phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { ask, busily } from './dom.js';
import { showRows } from './keyed-list.js';
import { isolate } from './names.js';
import { mountForm } from './request-form.js';
import { deedOf, makeRequest, patchRequest } from './request-row.js';

learn(sentences);

/** Fill `view`, the page, until `signal` aborts. */
export function mount(view, { session, network, limits, signal }) {
  const store = new RequestStore({ session });
  const ensure = () => {
    if (!document.hidden && network.up) store.ensure();
  };

  mountList(view, store, { limits, signal });
  mountForm(view.querySelector('form'), { store, limits, signal, onMade: (made) => handOver(view, made) });
  for (const type of ['focus', 'visibilitychange']) addEventListener(type, ensure, { signal });
  for (const source of [session, network]) source.addEventListener('change', ensure, { signal });
  const heed = ({ data }) => {
    if (data.type === 'requests-changed') store.distrust();
  };
  session.channel.addEventListener('message', heed, { signal });
  store.ensure();
}

/** A new request is there to be sent: the next thing to do is to copy its link. */
function handOver(view, { id, title }) {
  view.querySelector(`[data-id="${id}"] .copy`)?.focus();
  announce(say('request_made', { name: shown(title) }), { seen: !view.isConnected });
}

/** Keep the list as `store` says. */
function mountList(view, store, { limits, signal }) {
  const find = (id) => view.querySelector(`#requests-${id}`);
  const show = () => {
    if (!signal.aborted) showList(find, store, { limits, signal });
  };
  const refresh = () => busily(find('refresh'), () => reload(store, limits));
  const minutes = setInterval(show, TIMING.minute);

  signal.addEventListener('abort', () => clearInterval(minutes));
  store.addEventListener('change', () => {
    show();
    if (store.loading) setTimeout(show, TIMING.loadingText);
  });
  find('refresh').addEventListener('click', refresh);
  find('again').addEventListener('click', () => {
    find('refresh').focus(); // "Try again" goes while it tries
    refresh();
  });
  find('list').addEventListener('click', ({ target }) => {
    const button = target.closest('.end');
    if (button && button.ariaBusy !== 'true') askFirst(button, store, { limits, signal, heading: find('h') });
  });
}

function showList(find, store, { limits, signal }) {
  const { requests, loading, loadedAt, failure } = store;
  arrange(find('list'), find('h'), requests, signal);
  find('list').hidden = !requests.length;
  find('empty').hidden = !loadedAt || requests.length > 0;
  find('error').hidden = !failure;
  if (failure) find('why').textContent = failedText(failure, limits);
  find('updated').textContent = status(store);
  find('loading').hidden = loadedAt > 0 || !loading || performance.now() - loading < TIMING.loadingText;
}

const failedText = (failure, limits) => say('requests_failed', { reason: failureText(failure, limits) });

/** Return what is known of the list's age: that it is being read, or when it was. */
function status({ loadedAt, loading, failure }) {
  if (!loadedAt) return '';
  if (loading) return say('refreshing');
  return say(failure ? 'not_refreshed' : 'updated', { ago: ago(Date.now() - loadedAt) });
}

/** Read the list at somebody's wish, and tell what came of it. */
async function reload(store, limits) {
  await store.load();
  if (store.failure) announce(failedText(store.failure, limits), { alert: true });
  else if (store.session.active) announce(status(store));
}

/** Show the requests, newest first; the focus in a row that has gone goes on to the one before. */
function arrange(list, heading, requests, signal) {
  const make = (request) => makeRequest(request, signal);
  const heir = (_focused, above) => above.querySelector('.end');
  showRows(list, requests, { make, patch: patchRequest, heir, rest: heading });
}

/** End a request, or take one that is over from the list, after asking. */
async function askFirst(button, store, context) {
  const { id } = button.closest('li').dataset;
  const request = store.requests.find((one) => one.id === id);
  const deed = deedOf(request);
  const title = phrase(deed.question, { name: isolate(request.title) });
  const sure = await ask({ title, text: say(deed.warning), yes: say(deed.label) });
  if (sure) busily(button, () => end(request, button.closest('li'), store, context));
  else if (!button.isConnected) context.heading.focus(); // the row had gone while the question stood
}

async function end(request, row, store, { limits, signal, heading }) {
  const { done, failed } = deedOf(request);
  const name = shown(request.title);
  const problem = row.querySelector('.problem');
  problem.textContent = '';
  try {
    await store.end(request);
    if (document.activeElement === document.body) heading.focus(); // the row had gone while the question stood
    announce(say(done, { name }), { seen: true });
  } catch (error) {
    if (error instanceof SignedOut) return;
    problem.textContent = say(failed, { reason: failureText(error, limits) });
    if (signal.aborted)
      announce(say('about', { name, text: problem.textContent }), { alert: true, seen: true });
  }
}
