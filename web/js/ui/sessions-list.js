// Where one is signed in: this browser first, and how to end the others.
import { lately, shown, when } from '../format.js';
import { remove, request } from '../http.js';
import { cutShort, readUserAgent } from '../user-agent.js';
import { say } from '../words.js';
import { announce } from './announcer.js';
import { $, ask, busily, clone, focusFirst } from './dom.js';
import { removeRow, showRows } from './keyed-list.js';
import { mountLoaded, reasonOf } from './loaded-part.js';

const PATH = '/api/auth/sessions';

/** Show the sessions in `part`, and let them be ended; return how to load them anew. */
export function mountSessions(part, context) {
  const { session, limits, signal } = context;
  const list = part.querySelector('ul');
  const heading = part.querySelector('h2');
  const endOthers = part.querySelector('.end-others');
  const problem = part.querySelector('.error');
  const load = mountLoaded(part, { read: () => request(PATH), show }, context);

  list.addEventListener('click', ({ target }) => {
    const row = target.closest('li');
    if (target.closest('.leave')) $('sign-out').click(); // it asks first when files wait
    if (target.closest('.end')) busily(target.closest('.end'), () => end(row));
  });
  endOthers.addEventListener('click', askFirst);

  function show({ sessions }) {
    const here = sessions.filter(({ current }) => current);
    const others = sessions.filter(({ current }) => !current);
    showRows(list, [...here, ...others], { make, patch });
    countOthers();
  }

  function countOthers() {
    const wasFocused = document.activeElement === endOthers;
    endOthers.hidden = !list.querySelector('.end:not([hidden])');
    if (wasFocused) focusFirst(endOthers, heading);
  }

  async function end(row) {
    const name = row.querySelector('.name').textContent;
    try {
      await session.authorised(() => remove(`${PATH}/${row.dataset.id}`));
      if (signal.aborted) return;
      removeRow(row, heading);
      countOthers();
      announce(say('session_ended_one', { name }), { seen: true });
    } catch (error) {
      tell(row.querySelector('.problem'), error);
    }
  }

  async function askFirst() {
    const title = [say('sessions_end_question')];
    const sure = await ask({ title, text: say('sessions_end_warning'), yes: say('sessions_end') });
    if (sure) busily(endOthers, endAll);
  }

  async function endAll() {
    problem.textContent = '';
    try {
      await session.authorised(() => request(PATH, { method: 'DELETE' }));
      if (signal.aborted) return;
      announce(say('sessions_ended'), { seen: true });
      await load();
    } catch (error) {
      tell(problem, error);
    }
  }

  function tell(place, error) {
    if (signal.aborted) return;
    place.textContent = say('session_not_ended', { reason: reasonOf(error, limits) });
  }

  return load;
}

function make({ id, userAgent, current }) {
  const row = clone('session-template');
  const name = nameOf(userAgent);
  const button = row.querySelector('.end');
  row.querySelector('.name > bdi').textContent = name;
  row.querySelector('.name').title = shown(userAgent);
  row.querySelector('.meta').id = `session-${id}`;
  row.querySelector('.here').hidden = !current;
  row.querySelector('.leave').hidden = !current;
  button.hidden = current;
  button.ariaLabel = say('session_end_name', { name });
  button.setAttribute('aria-describedby', `session-${id}`);
  return row;
}

function patch(row, { createdAt, lastUsedAt, current }) {
  const made = say('session_made', { when: when(new Date(createdAt)) });
  const used = say('session_used', { ago: lately(new Date(lastUsedAt)) });
  row.querySelector('.meta').textContent = current ? made : `${used} · ${made}`;
}

function nameOf(userAgent) {
  const { browser, system } = readUserAgent(userAgent);
  if (browser && system) return say('session_device', { browser, system });
  return browser || cutShort(shown(userAgent.trim())) || say('session_unknown');
}
