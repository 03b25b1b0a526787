// What the page shows: the sign-in page or the app, the dialog and the banner over it, and the title.
import { say } from '../words.js';
import { announce } from './announcer.js';
import { mountBanner } from './banner.js';
import { $, ask } from './dom.js';
import { emptySignIn } from './signin.js';

/** Show what `session`, `network` and `context.app`, once it is loaded, say; nothing if `isLost` tells that it cannot
 * be. Return how to `show` all of it anew, and `setTitle`, which decorates the title by a function of the name in it. */
export function mountViews(context) {
  const { session, network, limits } = context;
  const dialog = $('sign-in-again');
  let view = '';
  let decorate = (title) => title;

  const inPlace = () => session.state === 'out' && session.user !== null;

  function title() {
    const name = limits.instanceName;
    const page = context.app?.pages.title;
    if (view === 'sign-in-view') document.title = say('sign_in_title', { name });
    else document.title = decorate(page ? say('page_title', { page, name }) : name);
  }

  function why() {
    const reason = say(`session_${session.reason}`, { email: session.user.email });
    const waiting = countWaiting(context);
    return waiting ? `${reason} ${say('files_waiting', { count: waiting })}` : reason;
  }

  function askAgain() {
    if (!inPlace() || dialog.open) return;
    $('confirm').close('');
    $('again-text').textContent = why();
    moveSignIn('again-form');
    $('email').value = session.user.email;
    dialog.showModal();
    $('password').focus();
  }

  function nextView() {
    if (context.isLost) return '';
    if (session.state === 'out' && !session.user) return 'sign-in-view';
    const isKnown = session.state !== 'unknown' || !network.up;
    return isKnown && context.app ? context.app.pages.view : view;
  }

  function show() {
    const next = nextView();
    if (!inPlace()) dialog.close();
    if (next === 'sign-in-view') moveSignIn('sign-in-card');
    for (const element of document.querySelectorAll('#main > .view')) element.hidden = element.id !== next;
    for (const id of ['pages', 'signed-in']) $(id).hidden = !session.user;
    for (const link of $('pages').children)
      link.ariaCurrent = `${link.dataset.page}-view` === next ? 'page' : null;
    $('who').textContent = session.user?.email ?? '';
    showBanner();
    if (next && next !== view) focusOn(next, view === '');
    view = next;
    title();
  }

  const showBanner = mountBanner(network, { text: () => (inPlace() ? why() : ''), act: askAgain });

  function setTitle(decoration = decorate) {
    decorate = decoration;
    title();
  }

  session.addEventListener('change', () => {
    show();
    askAgain();
  });
  session.addEventListener('needed', askAgain);
  network.addEventListener('change', show);
  dialog.addEventListener('close', emptySignIn);
  $('sign-out').addEventListener('click', () => signOut(context));
  return { show, setTitle };
}

const countWaiting = ({ app }) => app?.waiting() ?? 0;
const isBusy = (button) => button.ariaBusy === 'true';

/** The form is in one place at a time; what is typed in one is not for the other. */
function moveSignIn(place) {
  if ($(place).contains($('sign-in'))) return;
  $(place).append($('sign-in'));
  emptySignIn();
}

/** A new view has the focus on its heading; at the start only the sign-in page takes it, for its first field. */
function focusOn(view, atStart) {
  if (!atStart) $(view).querySelector('h1').focus();
  else if (view === 'sign-in-view') $('email').focus();
}

async function signOut(context) {
  if (isBusy($('sign-out'))) return;
  const waiting = countWaiting(context);
  const text = say('sign_out_loses', { count: waiting });
  if (waiting && !(await ask({ title: [say('sign_out_question')], text, yes: say('sign_out') }))) return;
  $('sign-out').ariaBusy = 'true';
  await context.session.signOut().catch(() => announce(say('still_signed_in'), { alert: true, seen: true }));
  $('sign-out').ariaBusy = 'false';
}
