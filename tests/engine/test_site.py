"""The documentation as a site: every page in it, no link that leads nowhere, nothing from afar."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli import CHECKOUT

DOCS = CHECKOUT / "docs"


def pages(nav: list[Any]) -> list[str]:
    """The files that a navigation names."""
    found: list[str] = []
    for entry in nav:
        if isinstance(entry, str):
            found.append(entry)
        else:
            for value in entry.values():
                found += [value] if isinstance(value, str) else pages(value)
    return found


def test_every_page_is_in_the_navigation() -> None:
    project = tomllib.loads((DOCS / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(pages(project["nav"])) == sorted(page.name for page in DOCS.glob("*.md"))


def test_strict_build(tmp_path: Path) -> None:
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("zensical is not installed: pip install -e '.[test]'")
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("site", ".cache"))

    def build() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict", "-f", "docs/zensical.toml"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
        )

    done = build()
    assert done.returncode == 0, done.stdout + done.stderr
    made = [docs / "site" / page.stem / "index.html" for page in DOCS.glob("*.md")]
    for page in (docs / "site/index.html", *(p for p in made if p.parent.name != "index")):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|link)\b[^>]*?(?:src|href)="?([^"\s>]+)', text)
        assert loaded
        assert not [address for address in loaded if "//" in address]

    (docs / "index.md").write_text("[a page](nowhere.md)\n")
    assert build().returncode != 0
