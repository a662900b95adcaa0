"""The report in a real browser: it sorts and searches, and hostile names stay text."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.reports import HOSTILE, page
from tests.real.clients import tool

pytestmark = pytest.mark.real


class Browser:
    """A Chromium, by the protocol of W3C's WebDriver."""

    def __init__(self, port: int, dark: bool, profile: Path) -> None:
        self._root = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless", "--no-sandbox", f"--user-data-dir={profile}"]
        if dark:
            arguments += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
        options = {
            "goog:chromeOptions": {"args": arguments, "binary": tool("chromium")},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._send("", {"capabilities": {"alwaysMatch": options}})
        self._root += f"/{answer['sessionId']}"

    def _send(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self._root + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, path: Path) -> None:
        self._send("/url", {"url": path.as_uri()})

    def run(self, script: str) -> Any:
        return self._send("/execute/sync", {"script": f"return {script}", "args": []})

    def keys(self, *keys: str) -> None:
        """Type, as a keyboard does."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._send("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def devtools(self, command: str, **params: Any) -> Any:
        """What only Chromium's own protocol has."""
        return self._send("/goog/cdp/execute", {"cmd": command, "params": params})

    def log(self) -> list[Any]:
        found = self._send("/se/log", {"type": "browser"})
        assert isinstance(found, list)
        return found


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a chromedriver listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    driver = tool("chromedriver")
    with subprocess.Popen([driver, f"--port={number}"], stdout=subprocess.DEVNULL) as running:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", number), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            yield number
            urllib.request.urlopen(f"http://127.0.0.1:{number}/shutdown").close()  # browsers too
        finally:
            running.terminate()


NAMES = (
    "[...document.querySelectorAll('#packages tbody tr')]"
    ".filter(r => !r.hidden).map(r => r.cells[0].textContent)"
)
SORT = "document.querySelectorAll('#packages th button')[{}].click()"
SORTED = (
    "[...document.querySelectorAll('#packages thead th')].map(h => h.getAttribute('aria-sort'))"
)
COLOUR = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser(port: int, tmp_path: Path, dark: bool) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(), encoding="utf-8")
    browser = Browser(port, dark, tmp_path / "profile")
    browser.open(path)
    shown = [name.replace("\u202e", "\\u202e") for name in HOSTILE]
    names = browser.run(NAMES)
    assert set(names) == {"a", "b", "c", *shown}
    browser.run(SORT.format(3))  # by size, as numbers
    assert browser.run(NAMES)[:2] == ["c", "a"] and browser.run(NAMES)[-1] == "b"
    browser.run(SORT.format(3))
    assert browser.run(NAMES)[0] == "b"
    assert browser.run(SORTED) == [None, None, None, "descending", None, None, None]
    browser.run(SORT.format(1))  # by version: 1.9 before 1.10
    assert [name for name in browser.run(NAMES) if name in "abc"] == ["c", "b", "a"]
    browser.run(
        "(() => { const s = document.getElementById('search'); s.value = '1.9 CARGO'; "
        "s.dispatchEvent(new Event('input')); })()"
    )
    assert browser.run(NAMES) == ["b"]
    assert browser.run("document.getElementById('found').textContent") == "1 of 9"
    assert browser.run("document.title").startswith("Bundle 2222")
    assert browser.run("performance.getEntriesByType('resource').length") == 0
    assert browser.run(COLOUR) == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    assert browser.log() == []


TAB, ENTER, SPACE = "\ue004", "\ue007", " "
FOCUSED = "document.activeElement.textContent"
OUTLINE = "getComputedStyle(document.activeElement).outlineStyle"


@pytest.fixture
def browser(port: int, tmp_path: Path) -> Browser:
    """With the page in it, and in the dark."""
    path = tmp_path / "report.html"
    path.write_text(page(), encoding="utf-8")
    made = Browser(port, True, tmp_path / "profile")
    made.open(path)
    return made


def test_by_keyboard(browser: Browser) -> None:
    """All that a mouse can do, and one sees where one is."""
    seen = []
    for _ in range(60):
        browser.keys(TAB)
        seen.append(browser.run(FOCUSED))
        assert browser.run(OUTLINE) == "solid", seen
        if seen[-1] == "size":
            break
    assert seen[-1] == "size" and "package" in seen
    assert browser.run("document.activeElement.tagName") == "BUTTON"
    browser.keys(ENTER)
    assert browser.run(NAMES)[0] == "c"
    browser.keys(SPACE)
    assert browser.run(NAMES)[0] == "b"
    browser.keys(TAB, TAB, TAB, TAB)  # three more headings, and the first row's places
    assert browser.run("document.activeElement.tagName") == "SUMMARY"
    browser.keys(ENTER)
    assert browser.run("document.activeElement.parentElement.open") is True
    assert browser.log() == []


def test_to_a_screen_reader(browser: Browser) -> None:
    """As Chromium tells it: every table and control has a name, a row is known by its package."""
    nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    found: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "")
            found.setdefault(node["role"]["value"], []).append(name)
    assert len(found["table"]) == 7 and all(found["table"])
    assert "All packages" in found["table"]
    for role in ("button", "searchbox", "DisclosureTriangle", "image", "columnheader"):
        assert found[role] and all(name.strip() for name in found[role]), (role, found[role])
    assert found["searchbox"] == ["Search"] and "main" in found
    assert {"a", "b", "c"} <= set(found["rowheader"])
    assert "Packages by size; the table below has the numbers." in found["image"]


def test_colours_tell_formats_apart(browser: Browser) -> None:
    """Each has its own, and the table of formats says which."""
    fills = (
        "[...document.querySelectorAll('{}')].map(r => getComputedStyle(r).fill)"
        ".filter((fill, at, all) => all.indexOf(fill) === at)"
    )
    tiles, legend = (browser.run(fills.format(what)) for what in ("g rect", ".swatch rect"))
    assert len(legend) == 2 and set(tiles) == set(legend)


def test_on_paper(browser: Browser) -> None:
    """White, whatever the screen is; the search is not there."""
    assert browser.run(COLOUR) == "rgb(13, 17, 23)"
    browser.devtools("Emulation.setEmulatedMedia", media="print")
    assert browser.run(COLOUR) == "rgb(255, 255, 255)"
    assert browser.run("getComputedStyle(document.querySelector('.search')).display") == "none"
    assert browser.devtools("Page.printToPDF")["data"].startswith("JVBERi")
