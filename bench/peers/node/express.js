// Express with multer, which writes the file. It leaves out accounts, rows, types, hashes and fsync.
// usage: node express.js PORT FOLDER
import fs from 'node:fs';
import express from 'express';
import multer from 'multer';

const [port, folder] = process.argv.slice(2);
fs.mkdirSync(`${folder}/uploads`, { recursive: true });
const receive = multer({ dest: `${folder}/uploads`, limits: { fileSize: 10 * 1024 * 1024 } });
const app = express();
app.post('/api/upload', receive.single('file'), ({ file }, response) => {
  response.json({ ok: true, files: [{ filename: file.originalname, size: file.size }] });
});
app.listen(Number(port), '127.0.0.1');
