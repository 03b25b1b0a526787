// What the page shows: the sign-in page or the app, the dialog and the banner over it, and the title.
import { count } from '../format.js';
import { isActive } from '../queue.js';
import { announce } from './announcer.js';
import { $, ask } from './dom.js';

const WHY = {
  ended: () => 'Your session has ended. Sign in to continue.',
  left: () => 'You have signed out in another tab. Sign in to continue.',
  other: ({ email }) => `Somebody else has signed in in another tab. Sign in as ${email} to continue.`,
};

/** Show what `session` and `network` say; return the setter of the title's prefix. */
export function mountViews({ session, network, queue }) {
  const dialog = $('sign-in-again');
  let [view, prefix, said] = ['', '', ''];
  const title = () => { document.title = `${prefix}${view === 'sign-in-view' ? 'Sign in – ' : ''}Documents`; };
  const inPlace = () => session.state === 'out' && session.user !== null;

  function why() {
    const waiting = queue.all(isActive).length;
    const files = waiting ? ` ${count(waiting)} ${waiting === 1 ? 'is' : 'are'} waiting.` : '';
    return WHY[session.reason](session.user) + files;
  }

  function askAgain() {
    if (!inPlace() || dialog.open) return;
    $('confirm').close('');
    $('again-text').textContent = why();
    $('again-form').append($('sign-in'));
    $('email').value = session.user.email;
    dialog.showModal();
    $('password').focus();
  }

  function banner() {
    const lost = navigator.onLine ? "The server can't be reached." : "You're offline.";
    const text = !network.up ? `${lost} Uploads will continue when the connection is back.` : inPlace() ? why() : '';
    if (text && text !== said) announce(text, { alert: true });
    if (!text && document.activeElement === $('banner-action')) $('choose').focus();
    $('banner').hidden = !text;
    said = $('banner-text').textContent = text;
    $('banner-action').textContent = network.up ? 'Sign in' : 'Try now';
  }

  function show() {
    const page = session.state === 'out' && !session.user;
    const next = page ? 'sign-in-view' : session.state === 'unknown' && network.up ? view : 'app-view';
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
  $('banner-action').addEventListener('click', () => (network.up ? askAgain() : network.check()));
  $('sign-out').addEventListener('click', () => signOut(session, queue));
  return (text) => { prefix = text; title(); };
}

async function signOut(session, queue) {
  const waiting = queue.all(isActive).length;
  const text = `${count(waiting)} ${waiting === 1 ? 'has' : 'have'} not been uploaded yet and will be given up.`;
  if (waiting && !(await ask({ title: ['Sign out?'], text, yes: 'Sign out' }))) return;
  queue.cancel(...queue.all());
  await session.signOut().catch(() => announce('You are still signed in: the server did not answer.', { alert: true }));
}
