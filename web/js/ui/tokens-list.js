// The API tokens: what they may do, until when, and how to take one back.
import { lately, shown, since } from '../format.js';
import { remove, request } from '../http.js';
import { phrase, say } from '../words.js';
import { announce } from './announcer.js';
import { ask, busily, clone } from './dom.js';
import { removeRow, showRows } from './keyed-list.js';
import { mountLoaded, reasonOf } from './loaded-part.js';
import { isolate } from './names.js';

const SCOPES = { upload: 'token_upload', full: 'token_full' };
const PATH = '/api/tokens';

/** Show the tokens in `part`, and let them be revoked; `revoked` is called with the id of each. Return how to load them
 * anew. */
export function mountTokens(part, { revoked }, context) {
  const { session, limits, signal } = context;
  const list = part.querySelector('ul');
  const heading = part.querySelector('h2');

  list.addEventListener('click', ({ target }) => {
    const button = target.closest('.revoke');
    if (button) askFirst(button);
  });

  function show({ tokens }) {
    showRows(list, tokens, { make, patch });
    count();
  }

  function count() {
    list.hidden = !list.children.length;
    part.querySelector('.none').hidden = !list.hidden;
  }

  async function askFirst(button) {
    const row = button.closest('li');
    const name = row.querySelector('.name').textContent;
    const title = phrase('token_revoke_question', { name: isolate(name) });
    const sure = await ask({ title, text: say('token_revoke_warning'), yes: say('token_revoke') });
    if (sure) busily(button, () => revoke(row, name));
  }

  async function revoke(row, name) {
    try {
      await session.authorised(() => remove(`${PATH}/${row.dataset.id}`));
      if (signal.aborted) return;
      removeRow(row, heading);
      count();
      revoked(row.dataset.id);
      announce(say('token_revoked', { name }), { seen: true });
    } catch (error) {
      const reason = reasonOf(error, limits);
      row.querySelector('.problem').textContent = say('token_not_revoked', { reason });
    }
  }

  return mountLoaded(part, { read: () => request(PATH), show }, context);
}

function make({ id, name }) {
  const row = clone('token-template');
  const button = row.querySelector('.revoke');
  row.querySelector('.name > bdi').textContent = shown(name);
  row.querySelector('.meta').id = `token-${id}`;
  button.ariaLabel = say('token_revoke_name', { name: shown(name) });
  button.setAttribute('aria-describedby', `token-${id}`);
  return row;
}

function patch(row, { scope, createdAt, lastUsedAt, expiresAt }) {
  const made = say('token_made_on', { when: since(new Date(createdAt)) });
  const used = lastUsedAt ? say('token_used', { ago: lately(new Date(lastUsedAt)) }) : say('token_unused');
  row.querySelector('.meta').textContent = [say(SCOPES[scope]), made, used, ending(expiresAt)].join(' · ');
}

function ending(expiresAt) {
  if (!expiresAt) return say('token_no_end');
  const end = new Date(expiresAt);
  return say(end < Date.now() ? 'token_ended' : 'token_ends', { day: since(end) });
}
