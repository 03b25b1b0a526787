// One row of the file requests: what is asked for, how much has come, and the link to send.
import { shown, when } from '../format.js';
import { locale, say } from '../words.js';
import { mountCopy } from './copy-field.js';
import { clone, write } from './dom.js';

const DAY = new Intl.DateTimeFormat(locale, { dateStyle: 'long' });
const OVER = { time: 'request_over_time', files: 'request_over_files', ended: 'request_over_ended' };

// What the row's button does: to one that is open, and to one that is over.
const END = {
  label: 'request_end',
  name: 'request_end_name',
  question: 'request_end_question',
  warning: 'request_end_warning',
  done: 'request_ended',
  failed: 'request_not_ended',
};
const REMOVE = {
  label: 'request_remove',
  name: 'request_remove_name',
  question: 'request_remove_question',
  warning: 'request_remove_warning',
  done: 'request_removed',
  failed: 'request_not_removed',
};

/** Return the keys of what is said of the button that takes a request from the list. */
export const deedOf = ({ over }) => (over ? REMOVE : END);

/** Return a new row for a request, whose link can be copied until `signal` aborts; `patchRequest` fills in the rest. */
export function makeRequest({ title, note, url }, signal) {
  const row = clone('request-template');
  const name = shown(title);
  const field = row.querySelector('input');
  const copy = row.querySelector('.copy');
  row.querySelector('.title').textContent = name;
  row.querySelector('.remark').textContent = note.replaceAll('\n', ' ');
  row.querySelector('.remark').hidden = !note;
  field.value = url;
  field.ariaLabel = say('request_link_name', { name });
  field.addEventListener('click', () => field.select());
  copy.ariaLabel = say('request_copy_name', { name });
  mountCopy(field, copy, { signal, said: say('request_copied') });
  return row;
}

/** Show in `row` what is true of a request now. */
export function patchRequest(row, request) {
  const { label, name } = deedOf(request);
  const end = row.querySelector('.end');
  const link = row.querySelector('.copying');
  write(row.querySelector('.meta'), standing(request));
  write(end, say(label));
  end.ariaLabel = say(name, { name: shown(request.title) });
  if (request.over && link.matches(':focus-within')) end.focus();
  link.hidden = request.over !== null;
}

/** Return how many files have come, and until when more may. */
function standing({ filesReceived, maxFiles, expiresAt, over }) {
  const values = { received: filesReceived, count: maxFiles };
  if (over) return say(OVER[over], values);
  return say('request_open', { ...values, day: dayOf(new Date(expiresAt)) });
}

function dayOf(moment) {
  const endsToday = moment.toDateString() === new Date().toDateString();
  return endsToday ? when(moment) : DAY.format(moment);
}
