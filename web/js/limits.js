// What the server takes, and what it is called.
import { request, SESSION } from './http.js';

/** Knows `maxFileBytes`, `types` ({extension, mimetype}; empty until they are read) and `instanceName`; emits `change`. */
export class Limits extends EventTarget {
  maxFileBytes = 0;
  types = [];

  constructor(instanceName, asker = SESSION) {
    super();
    this.instanceName = instanceName;
    this.asker = asker;
  }

  /** Read them unless they are known; raises ApiError, NetworkTrouble. */
  async ensure() {
    if (!this.types.length) await this.read();
  }

  async read() {
    Object.assign(this, await request('/api/limits', { asker: this.asker }));
    this.dispatchEvent(new Event('change'));
  }
}
