// What the page shows: the sign-in page or the app, the dialog and the banner over it, and the title.

import { count } from '../format.js';
import { isActive } from '../queue.js';
import { announce } from './announcer.js';
import { ask } from './confirm.js';
import { $ } from './dom.js';

const WHY = {
  ended: () => 'Your session has ended. Sign in to continue.',
  left: () => 'You have signed out in another tab. Sign in to continue.',
  other: (user) => `Somebody else has signed in in another tab. Sign in as ${user.email} to continue.`,
};

/** Show what `session` and `network` say; return the setter of the title's prefix. */
export function mountViews({ session, network, queue }) {
  const dialog = $('sign-in-again');
  let view = '';
  let prefix = '';
  let shown = '';
  let act = () => {};

  const title = () => { document.title = `${prefix}${view === 'sign-in-view' ? 'Sign in – ' : ''}Documents`; };
  const inPlace = () => session.state === 'out' && session.user !== null;
  const why = () => {
    const active = queue.all(isActive).length;
    const waiting = active ? ` ${count(active)} ${active === 1 ? 'is' : 'are'} waiting.` : '';
    return WHY[session.reason](session.user) + waiting;
  };

  function askAgain() {
    if (!inPlace() || dialog.open) return;
    if (document.querySelector('dialog[open]')) $('confirm').close('');
    $('again-text').textContent = why();
    $('again-form').append($('sign-in'));
    $('email').value = session.user.email;
    dialog.showModal();
    $('password').focus();
  }

  function banner() {
    const offline = navigator.onLine ? 'The server can’t be reached.' : 'You’re offline.';
    const [text, label, deed] = !network.up ? [`${offline} Uploads will continue when the connection is back.`, 'Try now', () => network.check()]
      : inPlace() ? [why(), 'Sign in', askAgain] : ['', '', () => {}];
    if (text && text !== shown) announce(text, { alert: true });
    if (!text && document.activeElement === $('banner-action')) $('choose').focus();
    [shown, act] = [text, deed];
    $('banner').hidden = !text;
    $('banner-text').textContent = text;
    $('banner-action').textContent = label;
  }

  function show() {
    const page = session.state === 'out' && !session.user;
    const next = page ? 'sign-in-view' : session.state !== 'unknown' || !network.up ? 'app-view' : '';
    if (!inPlace()) dialog.close();
    if (page) $('sign-in-card').append($('sign-in'));
    for (const id of ['sign-in-view', 'app-view']) $(id).hidden = id !== next;
    $('account').hidden = !session.user;
    $('who').textContent = session.user?.email ?? '';
    banner();
    if (view && next !== view) $(next).querySelector('h1').focus();
    view = next;
    title();
  }

  session.addEventListener('change', () => { show(); askAgain(); });
  session.addEventListener('needed', askAgain);
  network.addEventListener('change', show);
  $('banner-action').addEventListener('click', () => act());
  $('again-later').addEventListener('click', () => dialog.close());
  $('sign-out').addEventListener('click', () => signOut(session, queue));
  return (text) => { prefix = text; title(); };
}

async function signOut(session, queue) {
  const active = queue.all(isActive).length;
  const text = `${count(active)} ${active === 1 ? 'has' : 'have'} not been uploaded yet and will be given up.`;
  if (active && !(await ask({ title: ['Sign out?'], text, yes: 'Sign out' }))) return;
  queue.cancel(...queue.all());
  await session.signOut().catch(() => announce('You are still signed in: the server did not answer.', { alert: true }));
}
