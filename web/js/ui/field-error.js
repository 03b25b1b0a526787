// What is wrong with a field of a form, told at the field.

/** Say what is wrong with `field`, in the first element that describes it; an empty `text` takes it back. */
export function complain(field, text) {
  const [id] = field.getAttribute('aria-describedby').split(' ');
  field.form.querySelector(`#${id}`).textContent = text;
  field.ariaInvalid = String(text !== '');
}

/** Say what is wrong, each with its field, and put the focus on the first such field; return whether anything is. */
export function complainOf(problems) {
  for (const { field, text } of problems) complain(field, text);
  const first = problems.find(({ text }) => text);
  first?.field.focus();
  return first !== undefined;
}
