"""WORKERS=n: a supervisor that binds once and runs n children on the shared listening socket.

One shared socket rather than SO_REUSEPORT: when a worker leaves, the connections waiting in its queue would be lost.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from . import config

log = logging.getLogger("uploadsvc.workers")

_MAX_BACKOFF = 30  # seconds between restarts of a worker that keeps dying
_STEADY = 60  # seconds after which a worker's death is no longer its start's fault
_LAST_WAIT = 10  # seconds beyond DRAIN_SECONDS before a worker is killed


class Worker:
    """One child: a `serve` process on the inherited socket, started anew when it dies."""

    def __init__(self, listener: socket.socket, metrics_folder: Path) -> None:
        self._listener = listener
        self._metrics_folder = metrics_folder
        self._failures = 0
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        self._restart_at: float | None = None
        fd = self._listener.fileno()
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve", "--inherited-socket", str(fd)]
        command += ["--supervisor", str(os.getpid())]  # the child's own look may come too late
        environment = config.worker_environment(self._metrics_folder)
        self.process = subprocess.Popen(command, pass_fds=[fd], env=environment)  # noqa: S603 - our own arguments

    def check(self) -> None:
        """Start the worker again when it has died, the later the more often it has."""
        if self.process.poll() is None:
            return
        now = time.monotonic()
        if self._restart_at is None:
            mark_process_dead(self.process.pid, self._metrics_folder)  # what it counted counts on; its gauges end
            self._failures = 1 if now - self._started > _STEADY else self._failures + 1
            delay = min(_MAX_BACKOFF, 2 ** (self._failures - 1))
            log.error("worker_died", extra={"pid": self.process.pid, "status": self.process.returncode, "delay": delay})
            self._restart_at = now + delay
        elif now >= self._restart_at:
            self._start()


def supervise(listener: socket.socket, count: int, drain_seconds: int, metrics_folder: Path) -> None:
    """Keep `count` workers running until SIGTERM or Ctrl-C, then let them drain.

    In `metrics_folder`, which is emptied, they keep their figures, so that each can tell those of all.
    """
    stopping: list[int] = []
    shutil.rmtree(metrics_folder, ignore_errors=True)
    metrics_folder.mkdir(mode=0o700)
    listener.set_inheritable(True)

    def stop(number: int, _frame: Any) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers = [Worker(listener, metrics_folder) for _ in range(count)]
    while not stopping:
        time.sleep(0.2)
        for worker in workers:
            worker.check()
    listener.close()
    _stop([worker.process for worker in workers], drain_seconds)


def _stop(processes: "list[subprocess.Popen[bytes]]", drain_seconds: int) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + drain_seconds + _LAST_WAIT
    for process in processes:
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("worker_killed", extra={"pid": process.pid})
            process.kill()
            process.wait()
