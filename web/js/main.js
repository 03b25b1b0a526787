// Wiring only: the stores, their views, and what each hears of the others.
import { TIMING } from './config.js';
import { DocumentStore } from './documents.js';
import { request, traffic } from './http.js';
import { Network } from './network.js';
import { UploadQueue, hasFailed, isActive } from './queue.js';
import { Session, verifyStatus } from './session.js';
import { mountDropzone, sayLimits } from './ui/dropzone.js';
import { mountDocuments } from './ui/docs-view.js';
import { $ } from './ui/dom.js';
import { mountNews } from './ui/queue-news.js';
import { mountQueue } from './ui/queue-view.js';
import { mountSignIn } from './ui/signin.js';
import { mountViews } from './ui/views.js';
import { sendFile } from './upload.js';

const limits = { maxFileBytes: 0, types: [] }; // filled by the server's answer
const channel = new BroadcastChannel('session');
const session = new Session({ channel });
const probe = () => verifyStatus().then(() => 200, ({ status }) => (status < 500 ? status : 0));
const network = new Network({ probe });
const reread = async (error) => { // a 413: the limits are no longer those that were read
  if (error.status === 413) sayLimits(Object.assign(limits, await request('/api/limits').catch(() => limits)));
  throw error;
};
const queue = new UploadQueue({ send: (...upload) => sendFile(...upload).catch(reread), session, network, limits });
const documents = new DocumentStore({ session, channel });
const ready = Promise.withResolvers(); // files that come in sooner wait
const context = { session, network, queue, limits };

Object.assign(traffic, { answered: () => network.note(200), missed: () => network.check() });
network.heed(window);
network.addEventListener('change', () => { if (network.up) start(); });
session.addEventListener('change', onSession);
session.addEventListener('user', () => { queue.clear(); documents.clear(); });
queue.addEventListener('stored', ({ detail: { file } }) => documents.prepend(file));
queue.addEventListener('unsure', () => setTimeout(() => documents.load(), TIMING.settle));
for (const type of ['add', 'change', 'remove']) queue.addEventListener(type, guardLeaving);

mountQueue(queue, context);
mountNews(queue, limits, mountViews(context));
mountDocuments(documents, context);
mountSignIn(session);
mountDropzone({
  open: () => !$('app-view').hidden && !document.querySelector('dialog[open]'),
  onFiles: (files) => ready.promise.then(() => queue.add(files)),
  limits,
});

addEventListener('pageshow', ({ persisted }) => { if (persisted) session.check().catch(() => {}); });
for (const type of ['focus', 'visibilitychange']) addEventListener(type, () => document.hidden || documents.ensure());
start();

/** Learn the limits and who is signed in, as far as that is not known yet; a connection that is back calls again. */
async function start() {
  try {
    const limited = limits.types.length ? limits : request('/api/limits');
    await Promise.all([limited, session.state === 'unknown' && session.check()]);
    sayLimits(Object.assign(limits, await limited));
    documents.ensure();
    ready.resolve();
  } catch (error) {
    if (error.status) network.note(0); // an answer, but a broken one
  }
}

/** After a sign-out nothing of it is left to see, but files that are still to be sent wait for their owner. */
function onSession() {
  if (session.active) documents.ensure();
  if (session.active || session.reason === 'ended') return;
  documents.clear();
  if (!session.user) return queue.clear();
  if (!queue.all((item) => isActive(item) || hasFailed(item)).length) session.forget();
}

/** Warn before the page is left, but only while something would be lost. */
function guardLeaving() {
  window.onbeforeunload = queue.all(isActive).length ? (event) => event.preventDefault() : null;
}
