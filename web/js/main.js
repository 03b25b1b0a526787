// Wiring of what comes first: who is asking, and whether the server answers. The app is fetched meanwhile.
import { TIMING } from './config.js';
import { traffic } from './http.js';
import { Limits } from './limits.js';
import { Network } from './network.js';
import { Session, verifyStatus } from './session.js';
import { rememberedName, showName } from './ui/brand.js';
import { mountSignIn } from './ui/signin.js';
import { mountViews } from './ui/views.js';
import { translate } from './words.js';

const limits = new Limits(rememberedName());
const channel = new BroadcastChannel('session');
const session = new Session({ channel });
const network = new Network({ probe });
const context = { session, network, limits, channel, app: null, isLost: false };
let timer = 0;

translate();
showName(limits.instanceName);
traffic.answered = () => network.note(200);
traffic.missed = () => network.check();
network.heed(window);
network.addEventListener('change', () => {
  if (network.up) start();
});
session.addEventListener('change', () => context.app?.heedSession());
limits.addEventListener('change', () => {
  showName(limits.instanceName);
  views.setTitle();
});

const views = mountViews(context);
const loading = loadApp();
loading.catch(reportError); // unsupported.js hears it
mountSignIn(session, loading);
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) session.check().catch(() => {});
});
start();

/** Learn the limits and who is signed in, as far as that is not known yet. What fails is tried again: after a while, or
 * when the connection is back. */
async function start() {
  clearTimeout(timer);
  try {
    await Promise.all([limits.ensure(), session.state === 'unknown' && identify()]);
    context.app?.begin();
  } catch {
    if (network.up) timer = setTimeout(start, TIMING.startAgain);
  }
}

async function identify() {
  try {
    await session.check();
  } catch (error) {
    if (error.status) network.note(0); // an answer, but a broken one: the probe gets the same
    throw error;
  }
}

/** Put the app behind its view. */
async function loadApp() {
  try {
    const { mountApp } = await import('./app.js');
    context.app = mountApp(context, views);
  } catch (error) {
    context.isLost = true;
    throw error;
  } finally {
    views.show();
  }
  if (limits.types.length && session.state !== 'unknown') context.app.begin();
}

/** Return the status of the server's cheapest answer, or 0 when there is none. */
async function probe() {
  try {
    await verifyStatus();
    return 200;
  } catch ({ status }) {
    return status < 500 ? status : 0;
  }
}
