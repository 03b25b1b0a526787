// Wiring only: the stores, their views, and what each hears of the others.

import { TIMING } from './config.js';
import { DocumentStore } from './documents.js';
import { request, traffic } from './http.js';
import { Network } from './network.js';
import { UploadQueue, canRetry, isActive } from './queue.js';
import { Session, verifyStatus } from './session.js';
import { mountDropzone, sayLimits } from './ui/dropzone.js';
import { mountDocuments } from './ui/docs-view.js';
import { mountNews } from './ui/queue-news.js';
import { mountQueue } from './ui/queue-view.js';
import { mountSignIn } from './ui/signin.js';
import { mountViews } from './ui/views.js';
import { sendFile } from './upload.js';

const limits = { maxFileBytes: 0, types: [] }; // filled by the server's answer
const channel = new BroadcastChannel('session');
const session = new Session({ channel });
const network = new Network({ probe: () => verifyStatus().then(() => 200, ({ status = 0 }) => status) });
const queue = new UploadQueue({ send: sendFile, session, network, limits });
const documents = new DocumentStore({ session, channel });
const context = { session, network, queue, limits };

Object.assign(traffic, { answered: () => network.answered(), missed: () => network.check() });
network.heed(window);

session.addEventListener('user', forgetAll);
session.addEventListener('change', onSession);
queue.addEventListener('stored', ({ detail: { file } }) => documents.prepend(file));
queue.addEventListener('unsure', () => setTimeout(() => documents.expire(), TIMING.settle));
for (const type of ['add', 'change', 'remove']) queue.addEventListener(type, guardLeaving);

mountQueue(queue, context);
mountNews(queue, limits, mountViews(context));
mountDocuments(documents, context);
mountSignIn(session);
mountDropzone({ open: () => session.user !== null && limits.types.length > 0, limits, onFiles: (files) => queue.add(files) });

addEventListener('pageshow', ({ persisted }) => { if (persisted) session.check().catch(() => {}); });
addEventListener('focus', () => documents.ensure());
document.addEventListener('visibilitychange', () => { if (!document.hidden) documents.ensure(); });
network.addEventListener('change', () => { if (network.up) start(); });
start();

/** Learn the limits and who is signed in, as far as that is not known yet; a lost connection brings us here again. */
async function start() {
  try {
    if (!limits.types.length) Object.assign(limits, await request('/api/limits'));
    sayLimits(limits);
    if (session.state === 'unknown') await session.check();
    documents.ensure();
  } catch {
    // the network store has been told, and calls again
  }
}

function onSession() {
  const left = session.state === 'out' && session.reason !== 'ended';
  if (session.active) documents.ensure();
  if (left) documents.clear();
  if (left && !session.user) queue.clear();
  if (left && session.user && !queue.all((item) => isActive(item) || canRetry(item)).length) session.forget();
}

function forgetAll() {
  queue.clear();
  documents.clear();
}

/** Warn before the page is left, but only while something would be lost. */
function guardLeaving() {
  const change = queue.all(isActive).length ? addEventListener : removeEventListener;
  change('beforeunload', warn);
}

function warn(event) {
  event.preventDefault();
}
