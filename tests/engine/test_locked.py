"""tests/requirements.txt, the locked test environment: whole, hashed, and within the bounds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]
ENTRIES = re.findall(
    r"^(\S+==\S+(?: ; [^\\\n]+)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    (CHECKOUT / "tests/requirements.txt").read_text(encoding="utf-8"),
    re.MULTILINE,
)
LOCKED = [Requirement(text) for text, _ in ENTRIES]


def test_every_line_has_hashes() -> None:
    lines = (CHECKOUT / "tests/requirements.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line and line[0] not in "# "]
    assert len(named) == len(ENTRIES) > 40


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_what_pyproject_asks_for_is_locked(python: str) -> None:
    """Run `.ci/lock` if this fails."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    here = {"python_version": python, "python_full_version": f"{python}.0"}  # the rest is as here
    pins = {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in LOCKED
        if pin.marker is None or pin.marker.evaluate(here)
    }
    for requirement in map(Requirement, asked):
        if requirement.marker is None or requirement.marker.evaluate(here):
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
