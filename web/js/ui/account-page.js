// The page of one's own account: storage, password, sessions, API tokens.
import sentences from '../words/account.js';
import { learn, phrase } from '../words.js';
import { isolate } from './names.js';
import { mountPassword } from './password-form.js';
import { mountSessions } from './sessions-list.js';
import { mountStorage } from './storage.js';
import { mountTokenForm } from './token-form.js';
import { mountTokens } from './tokens-list.js';

learn(sentences);

/** Fill `view`, the page, until the context's `signal` aborts. */
export function mount(view, context) {
  const part = (name) => view.querySelector(`.${name}`);
  const email = isolate(context.session.user.email);
  part('whose').replaceChildren(...phrase('account_who', { email }));
  mountStorage(part('storage'), context);

  const loadSessions = mountSessions(part('sessions'), context);
  mountPassword(part('password').querySelector('form'), { changed: loadSessions }, context);

  const forget = mountTokenForm(part('tokens'), { made: () => loadTokens() }, context);
  const loadTokens = mountTokens(part('tokens'), { revoked: forget }, context);
}
