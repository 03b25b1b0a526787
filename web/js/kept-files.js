// The browser's own copies of files that are not uploaded yet, so that they outlive the page: IndexedDB.

const DATABASE = 'unfinished-uploads';
const STORE = 'files';
const LIFETIME = 7 * 24 * 3_600_000; // milliseconds: whoever does not come back in a week does not want them

/** Keeps rows `{id, user, file, added, turn, held}`, each for one user. Never rejects: a browser that keeps nothing (a private
 * window, a full disk) just keeps fewer rows than it is given. */
export class KeptFiles {
  #opening = null;

  /** Keep `rows` and return the ids of those that are now safe. */
  async keep(rows) {
    const ids = rows.map(({ id }) => id);
    if (await this.#put(rows)) return ids;
    if (rows.length < 2) return [];
    const safe = []; // one bad file spoils its transaction, and only that
    for (const row of rows) {
      if (await this.#put([row])) safe.push(row.id);
    }
    return safe;
  }

  /** Let the rows with these ids go. */
  async drop(ids) {
    const remove = (store) => {
      for (const id of ids) store.delete(id);
    };
    if (ids.length) await this.#run('readwrite', remove).catch(() => {});
  }

  /** Return what is kept for `user`, in the order in which it was added; what is too old is let go first. */
  async load(user) {
    try {
      await this.#sweep('added', IDBKeyRange.upperBound(Date.now() - LIFETIME));
      const request = await this.#run('readonly', (store) => store.index('user').getAll(user));
      return request.result.sort((a, b) => a.added - b.added || a.turn - b.turn);
    } catch {
      return [];
    }
  }

  /** Let everything go that is kept for `user`. */
  async empty(user) {
    await this.#sweep('user', user).catch(() => {});
  }

  async #put(rows) {
    try {
      await this.#run('readwrite', (store) => {
        for (const row of rows) store.put(row);
      });
      return true;
    } catch {
      return false;
    }
  }

  /** Delete the rows that `range` of `index` holds. */
  #sweep(index, range) {
    return this.#run('readwrite', (store) => {
      const found = store.index(index).getAllKeys(range);
      found.onsuccess = () => {
        for (const id of found.result) store.delete(id);
      };
    });
  }

  /** Run `act` in one transaction and return what it returns once that is written; all of it or nothing. */
  async #run(mode, act) {
    this.#opening ??= this.#open();
    const transaction = (await this.#opening).transaction(STORE, mode);
    const written = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    try {
      const result = act(transaction.objectStore(STORE));
      await written;
      return result;
    } catch (error) {
      abort(transaction, written);
      throw error;
    }
  }

  /** Open the database; a connection that fails or is closed by the browser is opened anew by whoever comes next. */
  async #open() {
    const lost = () => {
      this.#opening = null;
    };
    try {
      const database = await connect();
      database.onclose = lost;
      database.onversionchange = () => {
        database.close();
        lost();
      };
      return database;
    } catch (error) {
      lost();
      throw error;
    }
  }
}

function connect() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    const store = request.result.createObjectStore(STORE, { keyPath: 'id' });
    store.createIndex('user', 'user');
    store.createIndex('added', 'added');
  };
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Undo what a transaction that met an exception has done so far; one that is over needs nothing. */
function abort(transaction, written) {
  written.catch(() => {});
  try {
    transaction.abort();
  } catch {
    // it was aborted already
  }
}
