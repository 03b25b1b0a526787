// The stack that the original's architecture names, with one route: Hapi, Busboy, jsonwebtoken, and Prisma on SQLite.
// It checks the token and the declared type, counts the bytes, streams to a file and keeps a row. It leaves out what
// the document leaves out (content, hash, fsync, all or nothing), and of the document everything but the upload.
// usage: node server.js PORT FOLDER prisma.js   (or sqlite.js: the same rows without Prisma)
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import Hapi from '@hapi/hapi';
import busboy from 'busboy';
import jwt from 'jsonwebtoken';

const [port, folder, rows] = process.argv.slice(2);
const { keep } = await import(`./${rows}`);
const SECRET = 'only-for-measuring-of-more-than-32-bytes';
const MAX_BYTES = 10 * 1024 * 1024;
const TYPES = [
  'application/pdf',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'text/plain',
];
const uploads = path.join(folder, 'uploads', '1');
fs.mkdirSync(uploads, { recursive: true });
fs.writeFileSync(path.join(folder, 'token'), jwt.sign({ sub: 1 }, SECRET, { expiresIn: '1d' }));
let serial = 0;

async function store(userId, fieldname, stream, { filename, mimeType }) {
  serial += 1;
  const target = path.join(uploads, `${Date.now()}-${process.pid}-${serial}-${path.basename(filename)}`);
  const out = fs.createWriteStream(target);
  await pipeline(stream, out);
  if (stream.truncated) {
    await fs.promises.unlink(target);
    return null;
  }
  const size = out.bytesWritten;
  await keep({ userId, filename, path: target, contentType: mimeType, size, uploadedAt: new Date() });
  return { fieldname, filename, savedTo: target, mimetype: mimeType, size };
}

function whoAsks(request) {
  try {
    return jwt.verify(request.headers.authorization.replace('Bearer ', ''), SECRET).sub;
  } catch {
    return null;
  }
}

async function upload(request, h) {
  const userId = whoAsks(request);
  if (userId === null) return h.response({ ok: false, error: 'Unauthorized' }).code(401);
  const storing = [];
  let typesAreGood = true;
  const parser = busboy({ headers: request.headers, limits: { fileSize: MAX_BYTES } });
  parser.on('file', (fieldname, stream, info) => {
    if (TYPES.includes(info.mimeType)) {
      const stored = store(userId, fieldname, stream, info);
      stored.catch(() => {}); // told below: an upload that breaks off must not end the process before
      storing.push(stored);
    } else {
      typesAreGood = false;
      stream.resume();
    }
  });
  await pipeline(request.payload, parser);
  const files = await Promise.all(storing);
  if (!typesAreGood) return h.response({ ok: false, error: 'Unsupported media type' }).code(415);
  if (files.includes(null)) return h.response({ ok: false, error: 'Too large' }).code(400);
  return { ok: true, files, fields: {} };
}

const server = Hapi.server({ host: '127.0.0.1', port });
const payload = { output: 'stream', parse: false, maxBytes: 20 * MAX_BYTES };
server.route({ method: 'POST', path: '/api/upload', options: { payload }, handler: upload });
await server.start();
