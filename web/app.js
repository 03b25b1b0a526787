// Signs in and uploads one file: the least that makes `/` useful.
const [signIn, upload, status] = ['sign-in', 'upload', 'status'].map((id) => document.getElementById(id));
let csrfToken = '';

async function send(path, options) {
  const answer = await fetch(path, { method: 'POST', ...options });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message);
  return body;
}

function onSubmit(form, action) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    status.textContent = '';
    try {
      status.textContent = await action(new FormData(form));
    } catch (error) {
      status.textContent = error.message;
    }
  });
}

function show(body) {
  ({ csrfToken } = body);
  [signIn.hidden, upload.hidden] = [true, false];
}

onSubmit(signIn, async (data) => {
  const body = await send('/api/auth/login', {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(Object.fromEntries(data)),
  });
  show(body);
  return `Signed in as ${body.user.email}.`;
});

onSubmit(upload, async (data) => {
  const { files } = await send('/api/upload', { headers: { 'X-CSRF-Token': csrfToken }, body: data });
  upload.reset();
  return `Uploaded ${files[0].filename} (${files[0].size} bytes).`;
});

send('/api/auth/verify-status').then(show, () => {});
