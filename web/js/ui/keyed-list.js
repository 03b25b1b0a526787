// A list whose rows stay what they are while it changes, so that none of them loses the focus.
import { focusFirst } from './dom.js';

/** Make `list` show `items` in their order: `make` a row for a new one, and `patch` each. Rows go by the items' ids. */
export function showRows(list, items, { make, patch }) {
  const rows = new Map(Array.from(list.children, (row) => [row.dataset.id, row]));
  const ids = new Set(items.map(({ id }) => String(id)));
  for (const [id, row] of rows) {
    if (!ids.has(id)) row.remove();
  }
  let next = list.firstElementChild;
  for (const item of items) {
    const row = rows.get(String(item.id)) ?? make(item);
    row.dataset.id = item.id;
    patch(row, item);
    if (row === next) next = next.nextElementSibling;
    else list.insertBefore(row, next);
  }
}

/** Take `row` away; the focus that it had goes to the one after it, the one before it, or to `rest`. */
export function removeRow(row, rest) {
  const focused = row.contains(document.activeElement);
  const heir = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (focused) focusFirst(heir?.querySelector('button'), rest);
}
