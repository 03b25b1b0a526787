// Wiring of the app: the queue and the documents, their views, and what each hears of the others.
import { TIMING } from './config.js';
import { DocumentStore } from './documents.js';
import { isOpen } from './item.js';
import { Keeper } from './keeper.js';
import { KeptFiles } from './kept-files.js';
import { UploadQueue } from './queue.js';
import { mountDocuments } from './ui/docs-view.js';
import { $ } from './ui/dom.js';
import { mountDropzone, sayLimits } from './ui/dropzone.js';
import { guardLeaving } from './ui/leaving.js';
import { Pages } from './ui/pages.js';
import { mountNews, tellWait } from './ui/queue-news.js';
import { mountQueue } from './ui/queue-view.js';
import { mountUnfinished } from './ui/unfinished-view.js';
import { Unfinished } from './unfinished.js';
import { sendFile } from './upload.js';

/** Build the app of a page whose `session`, `network` and `limits` are there; `views` show it. Return what the page asks
 * of it: to `begin` once it is known who is signed in, to `heedSession`, how many files are `waiting`, and its
 * `pages`. */
export function mountApp({ session, network, limits, channel }, views) {
  const documents = new DocumentStore({ session, channel });
  const queue = new UploadQueue({ send: sendFile, session, network, limits, documents });
  const keeping = { kept: new KeptFiles(), queue, session, channel: new BroadcastChannel('session') };
  const keeper = new Keeper(keeping);
  const unfinished = new Unfinished({ ...keeping, keeper });
  const context = { session, network, limits };
  const pages = new Pages(context);
  let open = null;
  const ready = new Promise((resolve) => {
    open = resolve; // files that come in sooner wait
  });

  session.addEventListener('user', () => {
    keeper.release();
    unfinished.clear();
    queue.clear();
    documents.clear();
    pages.leave();
  });
  queue.addEventListener('stored', ({ detail: { file } }) => documents.prepend(file));
  documents.addEventListener('removed', ({ detail: { document } }) => queue.release(document));
  queue.addEventListener('unsure', () => setTimeout(() => documents.load(), TIMING.settle));
  guardLeaving(queue);

  mountQueue(queue, context);
  mountNews(queue, limits, views.setTitle);
  mountDocuments(documents, context);
  mountUnfinished(unfinished, keeper);
  mountDropzone({
    open: () => !$('app-view').hidden && !document.querySelector('dialog[open]'),
    onFiles: (files) => ready.then(() => tellWait(unfinished.add(files))),
    limits,
  });

  limits.addEventListener('change', () => sayLimits(limits));
  pages.addEventListener('change', views.show);
  for (const type of ['focus', 'visibilitychange']) {
    addEventListener(type, () => {
      if (!document.hidden) look();
    });
  }

  /** See whether the list is fresh, and whether an earlier page left something unsent. */
  function look() {
    documents.ensure();
    ready.then(() => unfinished.look());
  }

  function begin() {
    sayLimits(limits);
    open();
    heedSession();
  }

  /** After a sign-out nothing of it is left to see, but files that are still to be sent wait for their owner. */
  function heedSession() {
    if (session.active) {
      look();
      pages.heedAddress();
    }
    if (session.active || session.reason === 'ended') return;
    documents.clear();
    pages.leave();
    if (!session.user) queue.clear();
    else if (!queue.coming && !queue.all(isOpen).length) session.forget();
  }

  return {
    begin,
    heedSession,
    waiting: () => queue.waiting,
    pages,
  };
}
