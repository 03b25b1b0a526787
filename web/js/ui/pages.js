// The pages of whoever is signed in: the files, which stay as they are, and those that are fetched when they are asked
// for and live as long as they are shown. The address names them behind its `#`.
import { say } from '../words.js';
import { announce } from './announcer.js';
import { $, clone } from './dom.js';

const FILES = 'app';
const LATER = {
  requests: () => import('./requests-page.js'),
  account: () => import('./account-page.js'),
};

/** Emits `change` when another page is to be shown. */
export class Pages extends EventTarget {
  #context;
  #name = FILES;
  #ending = null; // aborts when the page that was fetched goes

  /** `context` is what the pages are given: session, network, limits. */
  constructor(context) {
    super();
    this.#context = context;
    addEventListener('hashchange', () => this.heedAddress());
  }

  /** The id of what is shown. */
  get view() {
    return `${this.#name}-view`;
  }

  /** The page's own name as the title says it; the files' is the instance's. */
  get title() {
    return this.#name === FILES ? '' : $(this.view).querySelector('h1').textContent;
  }

  /** Show the page that the address names, once somebody is signed in; what is no page, as the way past the header,
   * leaves all as it is, and is no place to come back to. */
  async heedAddress() {
    if (!this.#context.session.user) return;
    const name = location.hash.slice(1) || FILES;
    if (name === FILES) this.#show(FILES);
    else if (!Object.hasOwn(LATER, name)) this.#keepAddress();
    else if (name !== this.#name) await this.#fetch(name);
  }

  /** Leave what only this account may see: the next one begins with its files. */
  leave() {
    if (this.#name !== FILES) history.replaceState(null, '', '#');
    this.#show(FILES);
  }

  async #fetch(name) {
    try {
      const { mount } = await LATER[name]();
      if (location.hash === `#${name}` && this.#context.session.user) this.#show(name, mount);
    } catch {
      announce(say('page_failed'), { alert: true, seen: true });
      this.#keepAddress();
    }
  }

  #keepAddress() {
    history.replaceState(null, '', this.#name === FILES ? '#' : `#${this.#name}`);
  }

  #show(name, mount) {
    if (name === this.#name) return;
    $('confirm').close(); // nobody sees any more what it asks about
    this.#ending?.abort();
    if (this.#name !== FILES) $(this.view).remove();
    this.#name = name;
    if (mount) this.#open(mount);
    this.dispatchEvent(new Event('change'));
  }

  #open(mount) {
    this.#ending = new AbortController();
    const view = clone(`${this.#name}-template`);
    view.hidden = true;
    $('main').append(view);
    mount(view, { ...this.#context, signal: this.#ending.signal });
  }
}
