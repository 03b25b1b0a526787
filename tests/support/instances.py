"""Two instances of the service behind nginx, as deploy/scaled/ puts them up; what they share is the caller's to say."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.clock import eventually
from tests.support.engines import ROOT, Live, start_live
from tests.support.proxies import BEHIND, Fronted, nginx
from tests.support.traces import open_files

README = (ROOT / "deploy/scaled/README.md").read_text()
SHARED = BEHIND | {
    "JWT_SECRET": "tests-only-secret-of-more-than-32-bytes",
    "TRUSTED_HOSTS": f"{BEHIND['TRUSTED_HOSTS']},127.0.0.1",  # for questions to one of them
}


class Instances:
    """Each has a folder and a port of its own, which it keeps when it is started again; and a log for each run."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = SHARED | environ
        self.runs: list[list[Live]] = [[], []]
        for number in (0, 1):  # one after the other, as the first makes the tables and the account
            self.start(number)

    def start(self, number: int, wait: bool = True) -> None:
        """Start one, at the port that it has had before."""
        runs, own = self.runs[number], self._folder / f"instance-{number + 1}"
        run = own / f"run-{len(runs)}"
        run.mkdir(parents=True)
        given = self._environ | {"INSTANCE_PATH": str(own / "instance")}
        given |= {"PORT": str(runs[0].port)} if runs else {}
        runs.append(start_live(run, wait, **given))

    def restart(self, number: int) -> None:
        """Stop one as systemd does and start it again; it may not answer yet."""
        assert self.now(number).stop(signal.SIGTERM, 60) == 0
        self.start(number, wait=False)

    def now(self, number: int) -> Live:
        """The process that runs now, or ran last."""
        return self.runs[number][-1]

    def served(self, number: int) -> list[dict[str, Any]]:
        """The lines of the requests that one has answered in all its runs."""
        return [line for run in self.runs[number] for line in run.lines if line["message"] == "request"]

    def under_way(self) -> int:
        """How many uploads are being received."""
        running = [self.now(number) for number in (0, 1) if self.now(number).process.poll() is None]
        return sum(len(open_files(live.process.pid)) for live in running)

    def kill(self) -> None:
        for runs in self.runs:
            for live in runs:
                live.stop(signal.SIGKILL)


@contextmanager
def two_instances(folder: Path, **environ: str) -> Iterator[tuple[Fronted, Instances]]:
    """nginx in front of two real `serve`, with `environ` for both: where tables, files and counts are."""
    instances = Instances(folder, environ)
    try:
        (folder / "nginx").mkdir()
        with nginx(folder / "nginx", instances.now(0), instances.now(1)) as front:
            yield front, instances
    finally:
        instances.kill()


def is_used(front: Fronted, instances: Instances, number: int) -> bool:
    """Does nginx send requests to it again?"""
    before = len(instances.served(number))
    return eventually(lambda: front.request("GET", "/healthz") and len(instances.served(number)) > before)


def commands(heading: str, having: str) -> str:
    """The shell commands of deploy/scaled/README.md below a heading, of the block that has this text."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    [found] = [text for text in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) if having in text]
    return found
