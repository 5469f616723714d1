"""A tab of a real browser, driven through Chromium's debugging pipe: keys are pressed, not simulated in the page."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "End": (35, ""), "ArrowUp": (38, ""), "ArrowDown": (40, "")}


class Tab:
    """An open page."""

    def __init__(self, write: int, read: int) -> None:
        self.write, self.read = os.fdopen(write, "wb"), os.fdopen(read, "rb")
        self.sent, self.rest, self.session = 0, b"", {}

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.sent += 1
        self.write.write(json.dumps({"id": self.sent, "method": method, "params": params} | self.session).encode())
        self.write.write(b"\0")
        self.write.flush()
        return self._next(lambda message: message.get("id") == self.sent)["result"]

    def _next(self, wanted: Any) -> dict[str, Any]:
        while True:
            while b"\0" not in self.rest:
                self.rest += os.read(self.read.fileno(), 1 << 16)
            line, _, self.rest = self.rest.partition(b"\0")
            if wanted(message := json.loads(line)):
                return message

    def open(self, url: str) -> None:
        """Attach to the first page and load a URL."""
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        self._next(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        code, text = KEYS[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)


@contextmanager
def devtools(chromium: str, profile: Path, url: str) -> Iterator[Tab]:
    """A tab with a page; the browser ends with it."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               f"--user-data-dir={profile}", "--window-size=1280,800", "--remote-debugging-pipe"]  # fmt: skip
    command = [chromium, *options, "about:blank"]
    line = f"exec {shlex.join(command)} 3<&{theirs_in} 4>&{theirs_out}"
    with subprocess.Popen(["bash", "-c", line], pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL) as browser:
        os.close(theirs_in)
        os.close(theirs_out)
        tab = Tab(ours_out, ours_in)
        try:
            tab.open(url)
            yield tab
        finally:
            browser.terminate()
            tab.write.close()
            tab.read.close()
