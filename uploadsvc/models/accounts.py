"""Who may come in: accounts, their passwords and their sessions."""

import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, String, bindparam, false, func, or_, orm, select, update
from sqlalchemy.orm import Mapped, mapped_column

from .. import audit, credentials
from ..credentials import derive, digest, new_id
from ..errors import BadRequest, QuotaExceeded, SessionEnded
from ..extensions import Prepared, db
from .clock import now

REFRESH_LIFE = timedelta(days=7)  # from the last refresh
SESSION_LIFE = timedelta(days=30)  # from the sign-in, whatever happens
PARENT_GRACE = timedelta(seconds=30)  # two tabs, or an answer lost on the way


class User(db.Model):  # type: ignore[name-defined]
    """A person with an account."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(60))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)  # None: as configured; 0: no quota
    used_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    document_count: Mapped[int] = mapped_column(default=0, server_default="0")
    is_collector: Mapped[bool] = mapped_column(default=False, server_default=false())  # sees what others keep

    @staticmethod
    def normalise(email: str) -> str:
        """Return the form in which an address is stored and compared."""
        if any("\ud800" <= character <= "\udfff" for character in email):  # a command's argument that is not UTF-8
            raise BadRequest("This is not an e-mail address.")
        return email.strip().lower()

    @classmethod
    def by_email(cls, email: str) -> "User | None":
        """Return the account of `email`, if there is one."""
        return db.session.scalar(select(cls).where(cls.email == cls.normalise(email)))

    @classmethod
    def create(cls, email: str, password: str, rounds: int) -> "User":
        """Add an account to the session; raise BadRequest for an unusable address or password."""
        email = cls.normalise(email)
        if not re.fullmatch(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+", email) or len(email) > 254:  # noqa: PLR2004 - RFC 5321
            raise BadRequest("This is not an e-mail address.")
        user = cls(email=email)
        user.set_password(password, rounds)
        db.session.add(user)
        return user

    def set_password(self, password: str, rounds: int) -> None:
        """Hash a new password; raise BadRequest when it may not be one."""
        credentials.check_new(password, self.email)
        self.password_hash = credentials.hashed(password, rounds)

    @staticmethod
    def verify(user: "User | None", password: str, rounds: int) -> bool:
        """Tell whether `password` is right for an active `user`; nobody and a disabled one are alike, in time too.

        A right password whose hash is cheaper than `rounds` is hashed anew.
        """
        if user and not user.is_active:
            user = None
        right = credentials.is_right(user.password_hash if user else None, password, rounds)
        if not (right and user):
            return False
        if credentials.cost(user.password_hash) < rounds:
            user.password_hash = credentials.hashed(password, rounds)
        return True

    def account(self) -> "Account":
        """Return what a request of this user needs to know."""
        return Account(*(getattr(self, column.key) for column in ACCOUNT_COLUMNS))

    @staticmethod
    def charge(user_id: int, files: int, size: int, quota: int) -> None:
        """Count `files` of `size` bytes as kept, in the caller's transaction, which decides races; raise QuotaExceeded.

        `quota`, in bytes, holds for an account without one of its own; 0 is none.
        """
        if not _CHARGE.run({"user_id": user_id, "files": files, "more": size, "quota": quota}):
            row: Any = _ACCOUNT.row({"user_id": user_id})
            account = Account(*row)
            raise QuotaExceeded(size, account.quota(quota), account.used_bytes)

    @staticmethod
    def discharge(session: orm.Session, user_id: int, size: int) -> None:
        """Count a file of `size` bytes as kept no longer, in the transaction of `session`."""
        less = {"used_bytes": User.used_bytes - size, "document_count": User.document_count - 1}
        session.execute(
            update(User).where(User.id == user_id).values(less), execution_options={"synchronize_session": False}
        )

    def end_sessions(self, but: str | None = None) -> None:
        """End every session of the user, save the one with the id `but`."""
        ended = update(Session).where(
            Session.user_id == self.id, Session.revoked_at.is_(None), Session.id != (but or "")
        )
        db.session.execute(ended.values(revoked_at=now()))


class Account(NamedTuple):
    """What a request needs to know of the account it comes from: sizes in bytes, a quota of None is the configured."""

    user_id: int
    email: str
    quota_bytes: int | None
    used_bytes: int
    document_count: int
    is_collector: bool

    def quota(self, configured: int) -> int:
        """Return what the account may keep, 0 for any amount."""
        return configured if self.quota_bytes is None else self.quota_bytes

    def check_room(self, size: int, configured: int) -> None:
        """Raise QuotaExceeded when `size` more bytes have no room; `User.charge` has the last word."""
        quota = self.quota(configured)
        if quota and self.used_bytes + size > quota:
            raise QuotaExceeded(size, quota, self.used_bytes)


ACCOUNT_COLUMNS = (
    User.id,
    User.email,
    User.quota_bytes,
    User.used_bytes,
    User.document_count,
    User.is_collector,
)


class Session(db.Model):  # type: ignore[name-defined]
    """One sign-in: a family of refresh tokens of which the newest, and briefly its parent, are good."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    refresh_token_hash: Mapped[str] = mapped_column(String(64))
    parent_token_hash: Mapped[str | None] = mapped_column(String(64))
    rotated_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    user_agent: Mapped[str] = mapped_column(String(255), default="")

    @classmethod
    def start(cls, user: User, user_agent: str) -> tuple["Session", str]:
        """Add a session for `user`; return it with its first refresh token's id."""
        jti = new_id()
        session = cls(user_id=user.id, refresh_token_hash=digest(jti), user_agent=user_agent[:255])
        session.id, session.created_at = new_id(), now()
        session.expires_at = session.created_at + REFRESH_LIFE
        db.session.add(session)
        return session, jti

    @property
    def last_used_at(self) -> datetime:
        """Tell when the session was refreshed last, else when it began; requests in between write nothing."""
        return self.rotated_at or self.created_at

    @classmethod
    def living(cls, user_id: int) -> list["Session"]:
        """Return the user's live sessions, the one used last first."""
        live = select(cls).where(cls.user_id == user_id, *cls._is_live())
        return sorted(db.session.scalars(live), key=lambda session: (session.last_used_at, session.id), reverse=True)

    @classmethod
    def _is_live(cls) -> tuple[ColumnElement[bool], ...]:
        return cls.revoked_at.is_(None), cls.expires_at > now()

    @classmethod
    def alive(cls, sid: str, user_id: int) -> Account | None:
        """Return the account of the active user whose live session `sid` is, else None."""
        row = _ALIVE.row({"sid": sid, "user_id": user_id, "now": now()})
        return Account(*row) if row else None

    @classmethod
    def end(cls, sid: str) -> None:
        """End one session at once. Commits."""
        db.session.execute(update(cls).where(cls.id == sid, cls.revoked_at.is_(None)).values(revoked_at=now()))
        db.session.commit()

    @classmethod
    def end_own(cls, user_id: int, sid: str) -> bool:
        """End one live session of the user at once; return False when there is none with this id. Commits."""
        own = update(cls).where(cls.id == sid, cls.user_id == user_id, *cls._is_live())
        ended = db.session.execute(own.values(revoked_at=now()))
        db.session.commit()
        return bool(ended.rowcount)  # type: ignore[attr-defined]

    @classmethod
    def rotate(cls, sid: str, jti: str, secret: str) -> tuple["Session", str]:
        """Exchange the refresh token `jti` of a live session for its one child; return session and child's id.

        The child's id is derived, so that a repeat within the grace gets the same child. Reuse of an older token
        ends the session (RFC 9700 §4.14.2) and raises SessionEnded. Commits.
        """
        child, moment = derive(secret, "refresh", sid, jti), now()
        rotated = db.session.execute(
            update(cls)
            .where(cls.id == sid, cls.refresh_token_hash == digest(jti), cls.revoked_at.is_(None))
            .values(refresh_token_hash=digest(child), parent_token_hash=digest(jti), rotated_at=moment)
        )
        session = db.session.get_one(cls, sid, populate_existing=True)
        if rotated.rowcount:  # type: ignore[attr-defined]
            session.expires_at = min(moment + REFRESH_LIFE, session.created_at + SESSION_LIFE)
        elif session.parent_token_hash != digest(jti) or (session.rotated_at or moment) + PARENT_GRACE < moment:
            session.revoked_at = session.revoked_at or moment
            audit.tell("refresh_token_reused", user_id=session.user_id)
        db.session.commit()
        if session.revoked_at:
            raise SessionEnded
        return session, child


_ALIVE = Prepared(
    select(*ACCOUNT_COLUMNS)
    .join(Session.__table__, Session.user_id == User.id)
    .where(Session.id == bindparam("sid"), Session.user_id == bindparam("user_id"), User.is_active)
    .where(Session.revoked_at.is_(None), Session.expires_at > bindparam("now"))
)
_QUOTA = func.coalesce(User.quota_bytes, bindparam("quota"))
_CHARGE = Prepared(
    update(User.__table__)
    .where(User.id == bindparam("user_id"), or_(_QUOTA == 0, User.used_bytes + bindparam("more") <= _QUOTA))
    .values(
        used_bytes=User.used_bytes + bindparam("more"),
        document_count=User.document_count + bindparam("files"),
    )
)
_ACCOUNT = Prepared(select(*ACCOUNT_COLUMNS).where(User.id == bindparam("user_id")))
