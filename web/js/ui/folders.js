// The files of folders, dropped or chosen: their names only, hidden ones left out, and no more than can be watched.
import { within } from '../clock.js';
import { FOLDER, TIMING } from '../config.js';

const HIDDEN = /^(\.|~\$|thumbs\.db$|desktop\.ini$)/i; // made by the system or an open program, not by people

class TooMuch extends Error {}

/** Return what was dropped as `[{file, entry}]`; only during the event can a folder be told from a file. */
export function gather({ items, files }) {
  const held = [...items].filter(({ kind }) => kind === 'file');
  if (!held.length) return Array.from(files, (file) => ({ file }));
  return held.map((item) => ({ file: item.getAsFile(), entry: item.webkitGetAsEntry?.() }));
}

/** Return the candidates `[{file, from, refusal}]` that `gather`'s answer stands for, its folders read. */
export async function unfold(gathered) {
  const candidates = [];
  for (const { file, entry } of gathered) {
    if (entry?.isDirectory) candidates.push(...(await readFolder(entry)));
    else candidates.push({ file });
  }
  return candidates;
}

/** Return the candidates of a folder that a file dialog has opened. */
export function unfoldChosen(files) {
  const [folder] = files[0].webkitRelativePath.split('/');
  const isSeen = ({ webkitRelativePath }) => !webkitRelativePath.split('/').slice(1).some(isHidden);
  return fromFolder(folder, files.filter(isSeen));
}

async function readFolder(folder) {
  try {
    const found = [];
    await collect(folder, found);
    return fromFolder(folder.name, found);
  } catch (error) {
    return [refused(folder.name, error instanceof TooMuch ? 'folder_large' : 'folder')];
  }
}

function fromFolder(from, files) {
  if (!files.length) return [refused(from, 'folder_empty')];
  if (files.length > FOLDER.count) return [refused(from, 'folder_large')];
  return files.map((file) => ({ file, from }));
}

/** Add to `found` the files of `folder` and of the folders in it. */
async function collect(folder, found, depth = 1) {
  if (depth > FOLDER.depth) throw new TooMuch();
  for (const entry of await list(folder)) {
    if (isHidden(entry.name)) continue;
    if (entry.isDirectory) await collect(entry, found, depth + 1);
    else found.push(await within(TIMING.reading, open(entry)));
    if (found.length > FOLDER.count) throw new TooMuch();
  }
}

/** Return what lies in `folder`; a reader hands over a hundred at a time, and at the end none. */
async function list(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const next = new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    const batch = await within(TIMING.reading, next);
    if (!batch.length) return entries;
    entries.push(...batch);
    if (entries.length > FOLDER.count) throw new TooMuch();
  }
}

/** Return the file of `entry`; one that cannot be read is an empty one, which is refused with the others. */
const open = (entry) =>
  new Promise((resolve) => entry.file(resolve, () => resolve(new File([], entry.name))));

const isHidden = (name) => HIDDEN.test(name);

const refused = (name, refusal) => ({ file: new File([], name), refusal });
