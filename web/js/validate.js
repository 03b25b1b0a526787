// What can be known of a file before it is sent. Never stricter than the server, whose verdict counts.
import { within } from './clock.js';
import { TIMING } from './config.js';

const SNIFF = {
  '.pdf': (head) => head.includes('%PDF-'),
  '.docx': (head) => head.startsWith('PK\x03\x04'),
  '.txt': (head) => !head.includes('\0') || /^(\xff\xfe|\xfe\xff|\0\0\xfe\xff)/.test(head),
};

/** Return the accepted type that the last extension of `name` stands for, or undefined. */
export function typeOf(name, { types }) {
  const plain = name.trim().toLowerCase();
  const dot = plain.lastIndexOf('.');
  return types.find((type) => dot > 0 && type.extension === plain.slice(dot));
}

/** Return why `file` cannot be added (type, size, empty, content, changed), or ''. Reads its first bytes once. */
export async function validate(file, limits) {
  const type = typeOf(file.name, limits);
  if (!type) return 'type';
  if (file.size > limits.maxFileBytes) return 'size';
  if (file.size === 0) return 'empty';
  const head = await beginning(file);
  if (head === null) return 'changed';
  const fits = SNIFF[type.extension]?.(head) ?? true;
  return fits ? '' : 'content';
}

/** Return the file's first bytes as a string of one letter a byte, or null when it cannot be read, or not in time. */
async function beginning(file) {
  try {
    const bytes = await within(TIMING.reading, file.slice(0, 1024).arrayBuffer());
    return String.fromCharCode(...new Uint8Array(bytes));
  } catch {
    return null;
  }
}
