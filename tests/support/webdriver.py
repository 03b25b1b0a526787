"""The two standard protocols that drive a browser: WebDriver BiDi over a WebSocket, and WebDriver over HTTP.

Both carry the same list of actions, so that keys and clicks are real ones and written once; and a script is a function
of one text that returns a text, which both carry alike.
"""

import http.client
import json
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import websocket

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's reference (WebDriver §11)
REQUESTED = "network.beforeRequestSent"  # BiDi's event
ANSWERED = "async () => JSON.stringify(performance.getEntriesByType('resource').map(({ name }) => name))"
PATIENCE = 60  # seconds for one command, on a machine that does other things too


class Engine(Protocol):
    """What a browser does in its own protocol."""

    def prepare(self, script: str) -> None:
        """Run a function in every page that is loaded, before the page's own scripts; nothing where none can be."""

    def requested(self) -> list[str]:
        """Return the addresses that the page has asked for; where the protocol does not tell, those that answered."""

    def goto(self, url: str) -> None:
        """Load a page."""

    def run(self, script: str, given: str) -> str:
        """Call an asynchronous function with a text; return the text that it returns."""

    def perform(self, actions: list[dict[str, Any]]) -> None:
        """Do what hand and mouse do (WebDriver §15)."""

    def choose(self, selector: str, *paths: Path) -> None:
        """Choose files in an `input`."""

    def forget_cookies(self, *names: str) -> None:
        """Delete the cookies of these names, HttpOnly or not; without a name all of them."""

    def resize(self, width: int, height: int) -> None:
        """Give the page this size, or the nearest that the window can have."""

    def picture(self) -> str:
        """Return a PNG of what is seen, in base64."""


class Firefox:
    """A Firefox, by WebDriver BiDi."""

    def __init__(self, port: int) -> None:
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/session", timeout=PATIENCE, suppress_origin=True
        )
        self._ids = count()
        self._call("session.new", capabilities={})
        [tab] = self._call("browsingContext.getTree")["contexts"]
        self._tab = {"context": tab["context"]}
        self._requested: list[str] = []

    def prepare(self, script: str) -> None:
        self._call("script.addPreloadScript", functionDeclaration=script)
        self._call("session.subscribe", events=[REQUESTED], contexts=[self._tab["context"]])

    def requested(self) -> list[str]:
        self._call("browsingContext.getTree")  # what was told before its answer is heard
        return self._requested

    def goto(self, url: str) -> None:
        self._call("browsingContext.navigate", **self._tab, url=url, wait="complete")

    def run(self, script: str, given: str) -> str:
        arguments = [{"type": "string", "value": given}]
        called = {"functionDeclaration": script, "arguments": arguments, "awaitPromise": True, "target": self._tab}
        answer = self._call("script.callFunction", **called)
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return answer["result"]["value"]

    def perform(self, actions: list[dict[str, Any]]) -> None:
        self._call("input.performActions", **self._tab, actions=actions)

    def choose(self, selector: str, *paths: Path) -> None:
        locator = {"type": "css", "value": selector}
        [node] = self._call("browsingContext.locateNodes", **self._tab, locator=locator)["nodes"]
        files = [str(path) for path in paths]
        self._call("input.setFiles", **self._tab, element={"sharedId": node["sharedId"]}, files=files)

    def forget_cookies(self, *names: str) -> None:
        for chosen in [{"name": name} for name in names] or [{}]:
            self._call("storage.deleteCookies", filter=chosen, partition={"type": "context", **self._tab})

    def resize(self, width: int, height: int) -> None:
        self._call("browsingContext.setViewport", **self._tab, viewport={"width": width, "height": height})

    def picture(self) -> str:
        return self._call("browsingContext.captureScreenshot", **self._tab)["data"]

    def close(self) -> None:
        self._call("browser.close")
        self._socket.close()

    def _call(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            if answer.get("method") == REQUESTED:
                self._requested.append(answer["params"]["request"]["url"])
        assert answer["type"] == "success", f"{method}: {answer['message']}"
        return answer["result"]


class WebKit:
    """A WebKitGTK, by WebDriver."""

    def __init__(self, port: int) -> None:
        self._port, self._path = port, "/session"
        self._path += "/" + self._call("POST", "", capabilities={})["sessionId"]

    def prepare(self, script: str) -> None:
        """WebDriver has no command for it."""

    def requested(self) -> list[str]:
        return json.loads(self.run(ANSWERED, ""))

    def goto(self, url: str) -> None:
        self._call("POST", "/url", url=url)

    def run(self, script: str, given: str) -> str:
        # a promise that is returned is waited for; one that is refused would end as an empty answer
        body = f"return ({script})(...arguments).catch((error) => {{ throw `${{error}}`; }});"
        return self._call("POST", "/execute/sync", script=body, args=[given])

    def perform(self, actions: list[dict[str, Any]]) -> None:
        self._call("POST", "/actions", actions=actions)

    def choose(self, selector: str, *paths: Path) -> None:
        element = self._call("POST", "/element", using="css selector", value=selector)
        self._call("POST", f"/element/{element[ELEMENT]}/value", text="\n".join(map(str, paths)))

    def forget_cookies(self, *names: str) -> None:
        for path in [f"/cookie/{name}" for name in names] or ["/cookie"]:
            self._call("DELETE", path)

    def resize(self, width: int, height: int) -> None:
        self._call("POST", "/window/rect", width=width, height=height)

    def picture(self) -> str:
        return self._call("GET", "/screenshot")

    def close(self) -> None:
        self._call("DELETE", "")

    def _call(self, method: str, path: str, **body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, self._path + path, json.dumps(body) if method == "POST" else None)
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        assert not (isinstance(value, dict) and "error" in value), f"{method} {path}: {value['message']}"
        return value
