// Wiring of the page for visitors of a file request. Its link's secret stands in the address alone: nothing is stored.
import { TIMING } from './config.js';
import { NOBODY, request, traffic } from './http.js';
import { Limits } from './limits.js';
import { Network } from './network.js';
import { UploadQueue } from './queue.js';
import { rememberedName, showName } from './ui/brand.js';
import { $ } from './ui/dom.js';
import { mountDropzone, sayLimits } from './ui/dropzone.js';
import { guardLeaving } from './ui/leaving.js';
import { mountNews, tellWait } from './ui/queue-news.js';
import { mountQueue } from './ui/queue-view.js';
import { mountVisit } from './ui/visit-view.js';
import { sendFile } from './upload.js';
import { Visit } from './visit.js';
import sentences from './words/visitor.js';
import { learn, translate } from './words.js';

const limits = new Limits(rememberedName(), NOBODY);
const visit = new Visit(location.hash.slice(1));
const network = new Network({ probe });
const queue = new UploadQueue({ send, session: visit, network, limits });
let timer = 0;

translate();
learn(sentences);
showName(limits.instanceName);
traffic.answered = () => network.note(200);
traffic.missed = () => network.check();
network.heed(window);

const setTitle = mountVisit({ visit, queue, network, limits, start });
mountQueue(queue, { session: visit, network, limits }, { folds: false });
mountNews(queue, limits, setTitle);
mountDropzone({
  open: () => $('zone').checkVisibility() && !document.querySelector('dialog[open]'),
  onFiles: (files) => tellWait(queue.add(files)),
  limits,
});
guardLeaving(queue);

limits.addEventListener('change', () => {
  showName(limits.instanceName);
  sayLimits(limits);
  setTitle();
});
network.addEventListener('change', () => {
  if (network.up) start();
});
visit.addEventListener('change', () => {
  if (visit.state === 'over' || visit.state === 'wrong') queue.refuse(visit.error);
});
queue.addEventListener('stored', () => {
  visit.count();
  if (!queue.waiting) look();
});
queue.addEventListener('unsure', () => setTimeout(look, TIMING.settle));
for (const type of ['focus', 'visibilitychange', 'pageshow']) {
  addEventListener(type, () => {
    if (!document.hidden) visit.refresh().catch(() => {});
  });
}
addEventListener('hashchange', () => location.reload()); // another link was pasted over this one
start();

/** Learn the limits and what is asked for. What fails is tried again: after a while, or when the connection is back. */
async function start() {
  clearTimeout(timer);
  try {
    await Promise.all([limits.ensure(), visit.isUnknown && visit.look()]);
  } catch ({ retryAfter = 0 }) {
    const delay = Math.max(TIMING.startAgain, 1000 * retryAfter);
    if (network.up) timer = setTimeout(start, delay);
  }
}

/** See how many files are still taken; without an answer what is shown stays. */
function look() {
  if (visit.state === 'open') visit.look().catch(() => {});
}

/** Send a file under the name that the visitor had given when it was sent first: the server knows a repeat by it. */
function send(item, options) {
  item.sender ??= $('sender').value.trim();
  return sendFile(item, { ...options, asker: visit.asker });
}

/** Return the status of an answer that costs the server next to nothing, or 0 when there is none. */
async function probe() {
  try {
    await request('/api/limits', { asker: NOBODY, timeout: TIMING.probe });
    return 200;
  } catch ({ status }) {
    return status < 500 ? status : 0;
  }
}
