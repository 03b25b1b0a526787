// A list whose rows stay what they are while it changes, so that none of them loses the focus.
import { focusFirst } from './dom.js';

/** Make `list` show `items` in their order: `make` a row for a new one, and `patch` each. Rows go by the items' ids. The
 * focus that a row had which goes is handed to `heir(focused, above)`, of the nearest row above that stays, or to `rest`. */
export function showRows(list, items, { make, patch, heir = () => null, rest }) {
  const rows = new Map(Array.from(list.children, (row) => [row.dataset.id, row]));
  const ids = new Set(items.map(({ id }) => String(id)));
  const focused = list.querySelector('li :focus');
  const above = focused && rowAbove(focused.closest('li'), ids);
  for (const [id, row] of rows) {
    if (!ids.has(id)) row.remove();
  }
  if (focused && !focused.isConnected) focusFirst(above && heir(focused, above), rest);
  let next = list.firstElementChild;
  for (const item of items) {
    const row = rows.get(String(item.id)) ?? make(item);
    row.dataset.id = item.id;
    patch(row, item);
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
}

/** Return the nearest row above `row` that is one of `ids`, or null. */
function rowAbove(row, ids) {
  let above = row.previousElementSibling;
  while (above && !ids.has(above.dataset.id)) above = above.previousElementSibling;
  return above;
}

/** Take `row` away; the focus that it had goes to the one after it, the one before it, or to `rest`. */
export function removeRow(row, rest) {
  const focused = row.contains(document.activeElement);
  const heir = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (focused) focusFirst(heir?.querySelector('button'), rest);
}
