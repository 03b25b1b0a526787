"""A program of the operator's that looks for malware."""

import logging
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import IO

from .scans import SECONDS, NoVerdict, StagedFile, UnderWay, shown

log = logging.getLogger("uploadsvc.scanner")

# A program is given no variable of ours, for secrets are among them; one that needs more is called through env(1).
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_OUTPUT = 4096  # bytes kept of it
_REAP_SECONDS = 1.0  # for a killed program to go; one that the system holds is reaped when the next one starts


class Command:
    """A program called with the file's path as its last argument: it ends with 0 for clean and 1 for found."""

    def __init__(
        self, words: Sequence[str], seconds: float = SECONDS, environment: Mapping[str, str] = _ENVIRONMENT
    ) -> None:
        self._words = words
        self._seconds = seconds
        self._environment = environment

    def scan(self, file: StagedFile, under_way: UnderWay) -> str | None:
        """Return "not named", or None for a clean file; raise NoVerdict or OSError."""
        status, output = self._run(str(file.path), under_way)
        if status:
            log.debug("scan_output", extra={"status": status, "output": shown(output.decode(errors="replace"))})
        if status not in (0, 1):
            raise NoVerdict(f"exit status {status}" if status > 0 else f"killed by signal {-status}")
        return "not named" if status else None

    def _run(self, path: str, under_way: UnderWay) -> tuple[int, bytes]:
        """Return the exit status and the first bytes of output; nothing of the program's group outlives a failure."""
        deadline = time.monotonic() + self._seconds
        process = subprocess.Popen(  # noqa: S603 - the operator's own words, and no shell
            [*self._words, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )
        assert process.stdout  # noqa: S101 - for the types
        with process.stdout, under_way.until_broken_off(partial(_kill, process)):
            try:
                output = _read(process.stdout, deadline)
                return process.wait(max(0.0, deadline - time.monotonic())), output
            except subprocess.TimeoutExpired as error:
                raise TimeoutError from error
            finally:
                _end(process)


def _read(stream: IO[bytes], deadline: float) -> bytes:
    """Return the first bytes of all that comes; raise TimeoutError. A full pipe would stop the program, so none gets.

    poll() rather than select(), which ends at descriptor 1023.
    """
    kept = b""
    with selectors.PollSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stream.fileno(), _OUTPUT)
            if not chunk:
                return kept
            kept += chunk[: _OUTPUT - len(kept)]
    raise TimeoutError


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program that still runs, with all that it started."""
    if process.returncode is None:  # else it is reaped, and its number may be another's by now
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it and reap it."""
    _kill(process)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_SECONDS)
