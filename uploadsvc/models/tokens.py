"""What scripts bear instead of a session."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, String, bindparam, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from ..credentials import digest, new_api_token
from ..errors import BadRequest
from ..extensions import connection, db, release_connection
from .accounts import ACCOUNT_COLUMNS, Account, User
from .clock import now, rfc3339

SCOPES = ("upload", "full")
_NAME_CHARS = 100
_MAX_DAYS = 3650
_MAX_LIVE = 100  # of one user
_NOTED_EVERY = timedelta(minutes=1)


class ApiToken(db.Model):  # type: ignore[name-defined]
    """A script's long-lived credential. The row outlives it, for documents say by which token they came."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(_NAME_CHARS))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(16), default="upload", server_default="upload")
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def create(cls, user_id: int, name: str, scope: str, days: int | None, secret: str) -> tuple["ApiToken", str]:
        """Add a token that ends after `days`, or never; commit, and return it with its text, which is kept nowhere.

        Raises BadRequest.
        """
        name = name.strip()
        if not (name and name.isprintable() and len(name) <= _NAME_CHARS):
            raise BadRequest(f"A token's name has 1 to {_NAME_CHARS} characters that can be shown.")
        if scope not in SCOPES:
            raise BadRequest(f"A token's scope is one of: {', '.join(SCOPES)}.")
        if days is not None and not 1 <= days <= _MAX_DAYS:
            raise BadRequest(f"A token ends after 1 to {_MAX_DAYS} days, or never.")
        if len(cls.of(user_id)) >= _MAX_LIVE:
            raise BadRequest(f"There are {_MAX_LIVE} tokens already. Revoke some that nobody uses.")
        text, moment = new_api_token(secret, user_id), now()
        token = cls(user_id=user_id, name=name, scope=scope, token_hash=digest(text), created_at=moment)
        token.expires_at = None if days is None else moment + timedelta(days=days)
        db.session.add(token)
        db.session.commit()
        return token, text

    @classmethod
    def of(cls, user_id: int) -> list["ApiToken"]:
        """Return the user's tokens that were not revoked, the newest first."""
        query = select(cls).where(cls.user_id == user_id, cls.revoked_at.is_(None)).order_by(cls.id.desc())
        return list(db.session.scalars(query))

    @classmethod
    def revoke(cls, token_id: int, user_id: int) -> bool:
        """Take the user's token back and commit; return False when there is no such token."""
        mine = (cls.id == token_id, cls.user_id == user_id, cls.revoked_at.is_(None))
        revoked = db.session.execute(update(cls).where(*mine).values(revoked_at=now()))
        db.session.commit()
        return bool(revoked.rowcount)  # type: ignore[attr-defined]

    @classmethod
    def find(cls, token_hash: str, user_id: int) -> tuple[Account, Any] | None:
        """Return the active account of a token that was not revoked, and the token's id, scope and end."""
        row: Any = connection().execute(_FIND, {"token_hash": token_hash, "user_id": user_id}).one_or_none()
        return (Account(*row[: len(ACCOUNT_COLUMNS)]), row) if row else None

    @classmethod
    def note_use(cls, token_id: int) -> None:
        """Record that the token is used, unless that was recorded within the last minute; commit."""
        moment = now()
        long_ago = or_(cls.last_used_at.is_(None), cls.last_used_at < moment - _NOTED_EVERY)
        try:
            connection().execute(update(cls).where(cls.id == token_id, long_ago).values(last_used_at=moment))
            connection().commit()
        finally:
            release_connection()

    def as_token(self) -> dict[str, Any]:
        """Return the `token` of the API's answers."""
        return {
            "id": self.id,
            "name": self.name,
            "scope": self.scope,
            "createdAt": rfc3339(self.created_at),
            "lastUsedAt": rfc3339(self.last_used_at),
            "expiresAt": rfc3339(self.expires_at),
        }


_FIND = (
    select(*ACCOUNT_COLUMNS, ApiToken.id.label("token_id"), ApiToken.scope, ApiToken.expires_at)
    .join(ApiToken.__table__, ApiToken.user_id == User.id)
    .where(ApiToken.token_hash == bindparam("token_hash"), ApiToken.user_id == bindparam("user_id"))
    .where(User.is_active, ApiToken.revoked_at.is_(None))
)
