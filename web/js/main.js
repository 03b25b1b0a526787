// Wiring only: the stores, their views, and what each hears of the others.
import { TIMING } from './config.js';
import { DocumentStore } from './documents.js';
import { request, traffic } from './http.js';
import { hasFailed, isActive } from './item.js';
import { Keeper } from './keeper.js';
import { KeptFiles } from './kept-files.js';
import { Network } from './network.js';
import { UploadQueue } from './queue.js';
import { Session, verifyStatus } from './session.js';
import { rememberedName, showName } from './ui/brand.js';
import { mountDocuments } from './ui/docs-view.js';
import { $ } from './ui/dom.js';
import { mountDropzone, sayLimits } from './ui/dropzone.js';
import { mountNews, tellWait } from './ui/queue-news.js';
import { mountQueue } from './ui/queue-view.js';
import { mountSignIn } from './ui/signin.js';
import { mountUnfinished } from './ui/unfinished-view.js';
import { mountViews } from './ui/views.js';
import { Unfinished } from './unfinished.js';
import { sendFile } from './upload.js';
import { translate } from './words.js';

const limits = { maxFileBytes: 0, types: [], instanceName: rememberedName() }; // filled by the server's answer
const channel = new BroadcastChannel('session');
const session = new Session({ channel });
const network = new Network({ probe });
const documents = new DocumentStore({ session, channel });
const queue = new UploadQueue({ send, session, network, limits, documents });
const keeping = { kept: new KeptFiles(), queue, session, channel: new BroadcastChannel('session') };
const keeper = new Keeper(keeping);
const unfinished = new Unfinished({ ...keeping, keeper });
const context = { session, network, queue, limits };
let open = null;
const ready = new Promise((resolve) => {
  open = resolve; // files that come in sooner wait
});

translate();
showName(limits.instanceName);
traffic.answered = () => network.note(200);
traffic.missed = () => network.check();
network.heed(window);
network.addEventListener('change', () => {
  if (network.up) start();
});
session.addEventListener('change', onSession);
session.addEventListener('user', () => {
  keeper.release();
  unfinished.clear();
  queue.clear();
  documents.clear();
});
queue.addEventListener('stored', ({ detail: { file } }) => documents.prepend(file));
documents.addEventListener('removed', ({ detail: { document } }) => queue.release(document));
queue.addEventListener('unsure', () => setTimeout(() => documents.load(), TIMING.settle));
for (const type of ['add', 'change', 'remove']) queue.addEventListener(type, guardLeaving);

const setTitle = mountViews(context);
mountQueue(queue, context);
mountNews(queue, limits, setTitle);
mountDocuments(documents, context);
mountUnfinished(unfinished, keeper);
mountSignIn(session);
mountDropzone({
  open: () => !$('app-view').hidden && !document.querySelector('dialog[open]'),
  onFiles: (files) => ready.then(() => tellWait(queue.add(files))),
  limits,
});

addEventListener('pageshow', ({ persisted }) => {
  if (persisted) session.check().catch(() => {});
});
for (const type of ['focus', 'visibilitychange']) {
  addEventListener(type, () => {
    if (document.hidden) return;
    documents.ensure();
    ready.then(() => unfinished.look());
  });
}
start();

/** Learn the limits and who is signed in, as far as that is not known yet; a connection that is back calls again. */
async function start() {
  try {
    const limited = limits.types.length ? limits : request('/api/limits');
    await Promise.all([limited, session.state === 'unknown' && session.check()]);
    noteLimits(await limited);
    documents.ensure();
    open();
  } catch (error) {
    if (error.status) network.note(0); // an answer, but a broken one
  }
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

/** Send a file; after a 413 the limits are no longer those that were read. */
async function send(...upload) {
  try {
    return await sendFile(...upload);
  } catch (error) {
    if (error.status === 413) await readLimits();
    throw error;
  }
}

async function readLimits() {
  noteLimits(await request('/api/limits').catch(() => limits));
}

function noteLimits(read) {
  Object.assign(limits, read);
  sayLimits(limits);
  showName(limits.instanceName);
  setTitle();
}

/** After a sign-out nothing of it is left to see, but files that are still to be sent wait for their owner. */
function onSession() {
  if (session.active) {
    documents.ensure();
    ready.then(() => unfinished.look());
  }
  if (session.active || session.reason === 'ended') return;
  documents.clear();
  if (!session.user) queue.clear();
  else if (!queue.all((item) => isActive(item) || hasFailed(item)).length) session.forget();
}

/** Warn before the page is left, but only while something would be lost. */
function guardLeaving() {
  const busy = queue.all(isActive).length > 0;
  window.onbeforeunload = busy ? (event) => event.preventDefault() : null;
}
