"""How a log line looks: JSON for machines, text for people, each with the ids of its request."""

import json
import logging
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

NO_IDS: Mapping[str, str] = {"request_id": "-"}
ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=NO_IDS)


def with_ids(record: logging.LogRecord) -> bool:
    """Add the ids of the request to a record that bears none of its own; True, for it is a filter."""
    for name, value in ids.get().items():
        vars(record).setdefault(name, value)
    return True


def configure(level: str, style: str) -> None:
    """Send every logger to standard error, once, whoever configured what before."""
    handler = logging.StreamHandler()
    handler.addFilter(with_ids)
    handler.setFormatter(_JsonLines() if style == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("alembic").setLevel("WARNING")
    for name in ("boto3", "botocore", "s3transfer", "urllib3"):  # what they tell at DEBUG bears signatures
        logging.getLogger(name).setLevel("WARNING")
    logging.getLogger("waitress.queue").setLevel("ERROR")  # it warns whenever all threads are busy


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_VALUES = re.compile(r"^DETAIL:.*?(?=^\[SQL|^The above|\Z)", re.MULTILINE | re.DOTALL)
_encode = json.JSONEncoder(default=str).encode


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class _Lines(logging.Formatter):
    """What both forms have: a traceback without the values that PostgreSQL quotes, which are the users'."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return _VALUES.sub("", super().formatException(ei))


class _JsonLines(_Lines):
    """One object a line. Two are written an upload, so this takes half the time that a library's does."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line = line | _extras(record) | line
        if record.exc_info:
            line["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack_info"] = self.formatStack(record.stack_info)
        return _encode(line)


@lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


class _TextLines(_Lines):
    """One line a record, whatever strangers put into it; only the lines of a traceback follow it, indented."""

    def format(self, record: logging.LogRecord) -> str:
        extra = [f"{name}={_value(value)}" for name, value in _extras(record).items()]
        line = " ".join([self.formatTime(record), record.levelname, record.getMessage(), *extra])
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        stack = self.formatStack(record.stack_info) if record.stack_info else ""
        following = [f"    {part}" for part in f"{trace}\n{stack}".split("\n") if part]
        return "\n".join(printable(part) for part in [line, *following])


def _value(value: Any) -> str:
    """Return a value that neither ends early nor looks like the next one."""
    shown = str(value)
    return json.dumps(shown, ensure_ascii=False) if re.search(r'[\s="]', shown) else shown


def printable(line: str) -> str:
    """Return `line` with line ends, terminal and bidi controls and lone surrogates as escapes (CWE-117)."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
