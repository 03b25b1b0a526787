"""Firefox and WebKitGTK beside Chromium, each in a window of its own that a test drives by keys, clicks and scripts.

Firefox speaks WebDriver BiDi itself and needs no driver, of which Debian has none; WebKitGTK's driver speaks WebDriver
and shows its window on a screen that nobody looks at. Nothing of the user's own profile is read or written.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.clock import eventually
from tests.support.engines import connected, do_without, free_port, installed
from tests.support.webdriver import Engine, Firefox, WebKit

TAB, ENTER, SHIFT, CONTROL, ESCAPE = "\ue004", "\ue007", "\ue008", "\ue009", "\ue00c"  # as WebDriver writes these keys
CALLED = "async (given) => JSON.stringify((await ({})(...JSON.parse(given))) ?? null)"
PLACE = """(selector) => {
    const element = document.querySelector(selector);
    element.scrollIntoView({ block: 'center', behavior: 'instant' });
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x + width / 2, y + height / 2].map(Math.round);
}"""
SHOWN = "(selector) => document.querySelector(selector)?.checkVisibility() ?? false"


class Browser:
    """A window of a browser: what a person does with a page, and what a test asks of it."""

    def __init__(self, engine: Engine) -> None:
        self.prepare = engine.prepare
        self.requested = engine.requested
        self.goto = engine.goto
        self.choose = engine.choose
        self.forget_cookies = engine.forget_cookies
        self.resize = engine.resize
        self.picture = engine.picture
        self._engine = engine

    def evaluate(self, function: str, *given: Any) -> Any:
        """Call a function of the page's language and return what it comes to; both in JSON."""
        return json.loads(self._engine.run(CALLED.format(function), json.dumps(given)))

    def shows(self, selector: str) -> bool:
        """Can it be seen now?"""
        return self.evaluate(SHOWN, selector)

    def wait_for(self, selector: str, seconds: float = 15) -> None:
        """Wait until it can be seen."""
        assert eventually(lambda: self.shows(selector), seconds), selector

    def click(self, selector: str) -> None:
        x, y = self.evaluate(PLACE, selector)
        steps = [{"type": "pointerMove", "x": x, "y": y}]
        steps += [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self._engine.perform([mouse])

    def type(self, text: str) -> None:
        """Press and let go key after key, wherever the focus is."""
        self._press([(kind, key) for key in text for kind in ("keyDown", "keyUp")])

    def press(self, *keys: str) -> None:
        """Press keys together, as in `press(CONTROL, "a")`."""
        self._press([("keyDown", key) for key in keys] + [("keyUp", key) for key in reversed(keys)])

    def _press(self, steps: list[tuple[str, str]]) -> None:
        keys = [{"type": kind, "value": key} for kind, key in steps]
        self._engine.perform([{"type": "key", "id": "keys", "actions": keys}])


@contextmanager
def firefox(folder: Path) -> Iterator[Browser]:
    """A Firefox with an empty profile; without one the tests skip, and in CI they fail."""
    program = os.environ.get("FIREFOX") or installed("firefox-esr")
    program = program or do_without("Firefox is needed: apt-get install firefox-esr, or set FIREFOX")
    (folder / "user.js").write_text('user_pref("intl.accept_languages", "en-GB, en");\n')
    port = free_port()
    command = [program, "--headless", "--no-remote", "--profile", str(folder), f"--remote-debugging-port={port}"]
    with running(command, folder), driven(port, Firefox) as browser:
        yield browser


@contextmanager
def webkit(folder: Path) -> Iterator[Browser]:
    """A WebKitGTK, which forgets everything at its end; without one the tests skip, and in CI they fail."""
    server = installed("Xvfb", "xvfb") or do_without("Xvfb is needed for WebKitGTK: apt-get install xvfb")
    package = "webkit2gtk-driver"
    driver = installed("WebKitWebDriver", package) or do_without(f"WebKitGTK is needed: apt-get install {package}")
    port = free_port()
    with screen(server, folder) as display:
        command = [driver, f"--port={port}"]
        with running(command, folder, DISPLAY=display), driven(port, WebKit) as browser:
            yield browser


@contextmanager
def screen(server: str, folder: Path) -> Iterator[str]:
    """A screen that nobody looks at; its name, which the X server chooses itself."""
    told = folder / "display"
    with told.open("wb") as sink:
        size = ["-screen", "0", "1400x1000x24"]
        with running([server, "-displayfd", str(sink.fileno()), *size, "-nolisten", "tcp"], folder, sink.fileno()):
            assert eventually(lambda: told.read_text().endswith("\n"), 30)
            yield f":{told.read_text().strip()}"


@contextmanager
def driven(port: int, engine: Callable[[int], Engine]) -> Iterator[Browser]:
    """The window of the browser that is about to listen on `port`."""
    assert eventually(lambda: listens(port), 30)
    with closing(engine(port)) as opened:
        yield Browser(opened)


@contextmanager
def running(command: list[str], folder: Path, *descriptors: int, **environ: str) -> Iterator[None]:
    """Run a program that makes itself at home in `folder`; end it, and all that it has started."""
    home = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "LC_ALL": "en_GB.UTF-8"}
    with (folder / "log").open("ab") as sink:
        process = subprocess.Popen(
            command, env=home | environ, stdout=sink, stderr=sink, pass_fds=descriptors, start_new_session=True
        )
    try:
        yield
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


def listens(port: int) -> bool:
    with suppress(OSError), connected(port, 5, 0):
        return True
    return False
