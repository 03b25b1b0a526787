"""How a log line looks: JSON for machines, text for people, each with the id of its request."""

import json
import logging
import re
import time
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="-")


def _with_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id = request_id.get()
    return True


def configure(level: str, style: str) -> None:
    """Send every logger to standard error, once, whoever configured what before."""
    handler = logging.StreamHandler()
    handler.addFilter(_with_request_id)
    handler.setFormatter(_JsonLines() if style == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("alembic").setLevel("WARNING")
    logging.getLogger("waitress.queue").setLevel("ERROR")  # it warns whenever all threads are busy


class _JsonLines(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}{request_id}",
            style="{",
            rename_fields={"asctime": "ts", "levelname": "level", "name": "logger"},
        )
        self.converter = time.gmtime
        self.default_time_format, self.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"


_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _TextLines(logging.Formatter):
    """One line a record, whatever strangers put into it; only the lines of a traceback follow it, indented."""

    def format(self, record: logging.LogRecord) -> str:
        extra = [f"{key}={_value(value)}" for key, value in vars(record).items() if key not in _STANDARD]
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
