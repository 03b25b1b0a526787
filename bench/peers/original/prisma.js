// Keep a document's row with Prisma. Its adapter leaves SQLite's journal as SQLite has it.
// Tables are made by hand: `prisma migrate` would fetch an engine from outside the package registry.
import fs from 'node:fs';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaClient } from '@prisma/client';
import Database from 'better-sqlite3';

const file = `${process.argv[3]}/app.db`;
new Database(file).exec(fs.readFileSync(new URL('tables.sql', import.meta.url), 'utf8')).close();
const prisma = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: `file:${file}` }) });

export const keep = (data) => prisma.document.create({ data });
