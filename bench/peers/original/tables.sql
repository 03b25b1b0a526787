-- What `prisma migrate` makes of schema.prisma, and the one account.
create table if not exists User (
  id integer not null primary key autoincrement,
  email text not null,
  password text not null,
  refreshTokenHash text,
  createdAt datetime not null default current_timestamp
);
create table if not exists Document (
  id integer not null primary key autoincrement,
  userId integer not null references User (id) on delete restrict on update cascade,
  filename text not null,
  path text not null,
  contentType text not null,
  size integer not null,
  status text not null default 'success',
  createdAt datetime not null default current_timestamp,
  uploadedAt datetime
);
create unique index if not exists User_email_key on User (email);
create index if not exists User_email_idx on User (email);
create index if not exists Document_userId_idx on Document (userId);
create index if not exists Document_createdAt_idx on Document (createdAt);
insert or ignore into User (id, email, password) values (1, 'bench@example.com', '-');
