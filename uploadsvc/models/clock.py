"""The present, and how a time is stored and shown."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present in UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def rfc3339(time: datetime | None) -> str | None:
    """Return a stored time as the API shows it."""
    return None if time is None else time.isoformat(timespec="milliseconds") + "Z"
