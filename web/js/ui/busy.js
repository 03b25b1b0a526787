// A control that is busy does not begin anew.

/** Do what `control` asks for, once at a time; return what came of it, or undefined if that is on its way already. */
export async function busily(control, act) {
  if (control.ariaBusy === 'true') return undefined;
  control.ariaBusy = 'true';
  try {
    return await act();
  } finally {
    control.ariaBusy = 'false';
  }
}
