// The page that asks for files: the form that makes a link, and the requests that were made.
import { TIMING } from '../config.js';
import { ago, shown } from '../format.js';
import { failureText } from '../reasons.js';
import { RequestStore } from '../requests.js';
import { SignedOut } from '../session.js';
import sentences from '../words/requests.js';
import { learn, phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { ask } from './dom.js';
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

function mountList(view, store, { limits, signal }) {
  const find = (id) => view.querySelector(`#requests-${id}`);
  const show = () => {
    if (signal.aborted) return;
    const { requests, loading, loadedAt, failure } = store;
    arrange(find('list'), find('h'), requests, signal);
    find('list').hidden = !requests.length;
    find('empty').hidden = !loadedAt || requests.length > 0;
    find('error').hidden = !failure;
    if (failure) find('why').textContent = failedText(failure, limits);
    find('updated').textContent = status(store);
    find('loading').hidden = loadedAt > 0 || !loading || performance.now() - loading < TIMING.loadingText;
  };
  const showLater = () => {
    show();
    if (store.loading) setTimeout(show, TIMING.loadingText);
  };
  const refresh = () => reload(find('refresh'), store, limits);
  const minutes = setInterval(show, TIMING.minute);

  signal.addEventListener('abort', () => clearInterval(minutes));
  store.addEventListener('change', showLater, { signal });
  find('refresh').addEventListener('click', refresh);
  find('again').addEventListener('click', () => {
    find('refresh').focus(); // "Try again" goes while it tries
    refresh();
  });
  find('list').addEventListener('click', ({ target }) => {
    const button = target.closest('.end');
    if (button && button.ariaBusy !== 'true') end(button, store, { limits, signal, heading: find('h') });
  });
}

const failedText = (failure, limits) => say('requests_failed', { reason: failureText(failure, limits) });

/** Return what is known of the list's age: that it is being read, or when it was. */
function status({ loadedAt, loading, failure }) {
  if (!loadedAt) return '';
  if (loading) return say('refreshing');
  return say(failure ? 'not_refreshed' : 'updated', { ago: ago(Date.now() - loadedAt) });
}

/** Read the list at somebody's wish, once at a time, and tell what came of it. */
async function reload(button, store, limits) {
  if (button.ariaBusy === 'true') return;
  button.ariaBusy = 'true';
  await store.load();
  button.ariaBusy = 'false';
  if (store.failure) announce(failedText(store.failure, limits), { alert: true });
  else if (store.session.active) announce(status(store));
}

/** Make `list` show `requests`, newest first, and move no row: it may have the focus, or a link selected in it. */
function arrange(list, heading, requests, signal) {
  const wanted = new Set(requests.map(({ id }) => id));
  for (const row of [...list.children]) {
    if (!wanted.has(row.dataset.id)) drop(row, heading);
  }
  let next = list.firstElementChild;
  for (const request of requests) {
    const isThere = next?.dataset.id === request.id;
    const row = isThere ? next : makeRequest(request, signal);
    patchRequest(row, request);
    if (isThere) next = row.nextElementSibling;
    else list.insertBefore(row, next);
  }
}

/** Take a row away; the focus in it goes on to the one before. */
function drop(row, heading) {
  const next = row.previousElementSibling?.querySelector('.end') ?? heading;
  if (row.matches(':focus-within')) next.focus();
  row.remove();
}

/** End a request, or take one that is over from the list, after asking. */
async function end(button, store, { limits, signal, heading }) {
  const row = button.closest('li');
  const request = store.requests.find(({ id }) => id === row.dataset.id);
  const deed = deedOf(request);
  const name = shown(request.title);
  const isolated = document.createElement('bdi');
  isolated.textContent = name;
  const question = {
    title: phrase(deed.question, { name: isolated }),
    text: say(deed.warning),
    yes: say(deed.label),
  };
  if (!(await ask(question))) return;
  button.ariaBusy = 'true';
  tell(row, '');
  try {
    await store.end(request);
    if (document.activeElement === document.body) heading.focus(); // the row had gone while the question stood
    announce(say(deed.done, { name }), { seen: true });
  } catch (error) {
    if (error instanceof SignedOut) return;
    const problem = say(deed.failed, { reason: failureText(error, limits) });
    tell(row, problem);
    announce(say('about', { name, text: problem }), { alert: true, seen: signal.aborted });
  } finally {
    button.ariaBusy = 'false';
  }
}

function tell(row, problem) {
  row.querySelector('.problem').textContent = problem;
}
