// Keep a document's row with one prepared statement, in a write-ahead log that is not synced: what Prisma costs is the
// difference.
import fs from 'node:fs';
import Database from 'better-sqlite3';

const database = new Database(`${process.argv[3]}/app.db`);
database.pragma('journal_mode = wal');
database.pragma('synchronous = normal');
database.exec(fs.readFileSync(new URL('tables.sql', import.meta.url), 'utf8'));
const insert = database.prepare(`
  insert into Document (userId, filename, path, contentType, size, uploadedAt)
  values (:userId, :filename, :path, :contentType, :size, :uploadedAt)`);

export const keep = (row) => insert.run({ ...row, uploadedAt: row.uploadedAt.toISOString() });
