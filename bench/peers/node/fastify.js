// Fastify with its multipart plug-in, streamed to a file. It leaves out accounts, rows, types, hashes and fsync.
// usage: node fastify.js PORT FOLDER
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';
import multipart from '@fastify/multipart';
import fastify from 'fastify';

const [port, folder] = process.argv.slice(2);
fs.mkdirSync(`${folder}/uploads`, { recursive: true });
const app = fastify();
app.register(multipart, { limits: { fileSize: 10 * 1024 * 1024 } });
app.post('/api/upload', async (request, reply) => {
  const { file, filename } = await request.file();
  const target = `${folder}/uploads/${randomUUID()}`;
  await pipeline(file, fs.createWriteStream(target));
  if (!file.truncated) return { ok: true, files: [{ filename, size: file.bytesRead }] };
  await fs.promises.unlink(target);
  return reply.code(413).send({ ok: false });
});
app.listen({ port: Number(port), host: '127.0.0.1' });
