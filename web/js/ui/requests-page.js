// stub

import sentences from '../words/requests.js';
import { learn } from '../words.js';

learn(sentences);

/** Fill `view`, the page, until `signal` aborts. */
export function mount(_view, _context) {}
