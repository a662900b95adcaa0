"""HTML of a report: escaped throughout, with a policy that lets it load and ask for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from vendorpack.changes import Change
from vendorpack.console import plain
from vendorpack.optional import load_extra
from vendorpack.progress import human
from vendorpack.report.content import HEIGHT, WIDTH, Content

_HUES: Final = 12
"""How many colours for formats page.css has."""


def render(content: Content, changes: Sequence[Change] | None, since: str | None) -> str:
    """The page. changes: since the bundle of the id `since`. Raises `UsageError` without jinja2."""
    hues = {count.word: str(number % _HUES) for number, count in enumerate(content.formats)}
    return _rendered(
        "page.html.jinja",
        {"colour": lambda word: hues.get(word, "rest")},
        content=content,
        changes=changes,
        since=since,
        width=WIDTH,
        height=HEIGHT,
    )


def render_fleet(summary: Mapping[str, Any]) -> str:
    """The page on what came of a fleet's bundles. Raises `UsageError` without jinja2."""
    return _rendered("fleet.html.jinja", {}, summary=summary)


def load_jinja2() -> Any:
    """What makes the pages. Raises `UsageError` if it is not installed."""
    return load_extra("jinja2", "a report takes jinja2", "report")


def _rendered(template: str, filters: Mapping[str, Callable[..., str]], **values: Any) -> str:
    jinja2 = load_jinja2()
    own = files(__package__)
    style = own.joinpath("page.css").read_text("utf-8")
    script = own.joinpath("page.js").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"human": human, "plain": plain, **filters}
    text: str = environment.from_string(own.joinpath(template).read_text("utf-8")).render(
        style=style, script=script, style_hash=_hash(style), script_hash=_hash(script), **values
    )
    return text


def _hash(text: str) -> str:
    """As a content security policy names what it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
