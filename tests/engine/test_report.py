"""report: a page from a bundle alone, that is text and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli import CHECKOUT, Cli
from tests.engine.reports import HOSTILE, NEW, page
from tests.world.npm import npm_registry
from vendorpack.report.content import NOT_SAID, content_of
from vendorpack.report.treemap import squarified


class Seen(HTMLParser):
    """The page's tags, attributes, texts, and what is in its elements of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_what_names_say_stays_text() -> None:
    seen = Seen(page())
    assert seen.tags.count("script") == seen.tags.count("style") == seen.tags.count("h1") == 1
    assert "img" not in seen.tags
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    for name in HOSTILE:
        shown = name.replace("\u202e", "\\u202e")
        assert any(shown in text for text in seen.texts), name


def test_it_loads_and_sends_nothing() -> None:
    text = page()
    seen = Seen(text)
    assert not {"link", "iframe", "a", "form", "object", "embed", "base"} & set(seen.tags)
    assert not [v for n, v in seen.attributes if n in ("src", "href", "srcset", "action")]
    policy = next(v for n, v in seen.attributes if v.startswith("default-src 'none'"))
    for tag in ("style", "script"):
        inner = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert inner is not None
        digest = base64.b64encode(hashlib.sha256(inner[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_what_it_counts() -> None:
    content = content_of(NEW, "2" * 64)
    assert len(content.rows) == 3 + len(HOSTILE)
    assert [(c.word, c.packages) for c in content.hosts] == [
        ("registry.test", 2 + len(HOSTILE)),
        ("else.test", 1),
    ]
    words = {count.word: count.packages for count in content.licenses}
    assert words["(MIT OR GPL-3.0-only)"] == 1 and words[NOT_SAID] == 2
    assert [row.name for row in content.exceptions] == ["c"]
    assert content.tiles[0].name == "b 1.9"


def test_as_typed(tmp_path: Path) -> None:
    with (made := npm_registry()).server:
        made.lock(tmp_path / "project", {"a": "1.0.0"})
        cli = Cli(tmp_path)
        cli.ok("pack", "project")
        made.lock(tmp_path / "project", {"a": "2.0.0", "b": "1.0.0"})
        cli.ok("pack", "project", "-o", "new.tar.zst")
    cli.ok("report", "new.tar.zst", "--since", "deps.tar.zst")
    first = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "1 changed, 1 added, 0 removed" in " ".join(Seen(first).texts)
    assert cli.ok("report", "new.tar.zst", "--since", "deps.tar.zst", "-o", "-").out == first + "\n"
    assert "What changed" not in cli.ok("report", "deps.tar.zst", "-o", "-").out
    assert cli("report", "project", "-o", "x.html").code == 10
    assert not (tmp_path / "x.html").exists()


def test_without_jinja(tmp_path: Path) -> None:
    with (made := npm_registry()).server:
        made.lock(tmp_path / "project", {"a": "1.0.0"})
        Cli(tmp_path).ok("pack", "project")
    (tmp_path / "without").mkdir()
    (tmp_path / "without/jinja2.py").write_text("raise ImportError('none')\n")
    path = f"{tmp_path / 'without'}:{CHECKOUT}"
    done = Cli(tmp_path, environ={"PYTHONPATH": path})("report", "deps.tar.zst")
    assert done.code == 2 and "vendorpack[report]" in done.err
    assert not (tmp_path / "report.html").exists()


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60))
def test_areas_are_the_sizes(sizes: list[int]) -> None:
    sizes.sort(reverse=True)
    width, height = 1200.0, 420.0
    placed = squarified(sizes, width, height)
    scale = width * height / sum(sizes)
    for size, place in zip(sizes, placed, strict=True):
        assert place.width * place.height == pytest.approx(size * scale, rel=1e-6, abs=1e-6)
        assert place.x >= -1e-6 and place.x + place.width <= width + 1e-6
        assert place.y >= -1e-6 and place.y + place.height <= height + 1e-6


def test_no_sizes_no_picture() -> None:
    assert squarified([], 10, 10) == []
