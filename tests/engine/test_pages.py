"""The pages of the documentation: no command without a test, no name that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from tests.cli import CHECKOUT
from tests.real import (
    test_bun,
    test_bundler,
    test_corepack,
    test_deno,
    test_maven,
    test_npm,
    test_pip,
    test_pnpm,
    test_poetry,
    test_uv,
    test_yarn,
)
from tests.real.docs import PAGES, Page, dockerfile
from tests.real.test_docs import SCENES
from vendorpack.cli import app
from vendorpack.cli.options import ROOM_OPTIONS
from vendorpack.errors import VendorpackError
from vendorpack.formats import load
from vendorpack.formats import rooms as all_rooms

# -- commands ------------------------------------------------------------------------------


NO_COMMANDS = {"", "text", "json", "toml"}
"""Languages of blocks that have no commands in them."""
ELSEWHERE = {"ci": ".ci/run", "recipe": "tests/real/test_containers.py", "file": "its page"}
"""How a block is marked that others take from the page, and who does."""
RUN = {(*where, "sh") for where in SCENES} | {
    ("README.md", "vendorpack", "console"),
    ("README.md", "Use it", "dockerfile"),
}
EXAMPLES = ("docs/python-api.md", "python")
"""The page whose blocks tests/engine/test_api.py runs."""


def not_run(page: Page) -> Iterator[str]:
    """The blocks that nobody runs, and that do not say why."""
    for block in page.blocks:
        kind, _, reason = block.mark.partition(":")
        if block.language in NO_COMMANDS or kind in ELSEWHERE:
            continue
        if (block.page, block.language) == EXAMPLES:
            continue
        if kind == "not run" and reason.strip():
            continue
        if kind or (block.page, block.section, block.language) not in RUN:
            yield (
                f"{block}: nothing runs this: add it to SCENES of tests/real/test_docs.py, or say "
                "why not with <!-- not run: … --> on the line above"
            )


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_run_or_says_why_not(name: str) -> None:
    assert not [*not_run(Page.read(name))]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("# npm\n```sh\nls\n```\n", True),
        ("# npm\n## New\n```sh\nls\n```\n", False),
        ("# npm\n```bash\nls\n```\n", False),
        ("# npm\n- a list:\n\n  ~~~console\n  $ ls\n  ~~~\n", False),
        ("<!-- not run: there is no such machine -->\n```sh\nls\n```\n", True),
        ("<!-- not run:  -->\n```sh\nls\n```\n", False),
        ("<!-- not run: too far above -->\n\n```sh\nls\n```\n", False),
        ("```json\n{}\n```\n", True),
    ],
)
def test_a_new_block_does_not_slip_in(text: str, good: bool) -> None:
    assert (not [*not_run(Page.parse("docs/npm.md", text))]) is good


@pytest.mark.parametrize("text", ["```sh\nls\n", "> ```sh\n> ls\n> ```\n", "Type:\n\n    ls\n"])
def test_no_code_hides_outside_of_blocks(text: str) -> None:
    with pytest.raises(AssertionError):
        Page.parse("docs/npm.md", text)


def test_who_runs_the_marked_blocks() -> None:
    marks = [b.mark for name in PAGES for b in Page.read(name).blocks if b.mark]
    runner = (CHECKOUT / ".ci/run").read_text()
    containers = (CHECKOUT / "tests/real/test_containers.py").read_text()
    for mark in marks:
        kind, _, name = mark.partition(": ")
        if kind == "ci":
            assert f"$(readme {name})" in runner, mark
        if kind == "recipe":
            assert f'"{name}"' in containers, mark
    assert {"ci: main", "ci: test", "recipe: add"} <= set(marks)


def test_the_dockerfile_of_the_readme_is_a_recipe() -> None:
    (block,) = [b for b in Page.read("README.md").blocks if b.language == "dockerfile"]
    assert set(block.text.splitlines()) <= set(dockerfile("add").splitlines())


# -- names ---------------------------------------------------------------------------------


FOREIGN = {
    "--backend": "bun",
    "--build-arg": "docker build",
    "--chown": "COPY in a Dockerfile",
    "--filter-platform": "cargo",
    "--find-links": "pip",
    "--frozen": "cargo, deno",
    "--ignore-scripts": "npm, pnpm, yarn",
    "--index-url": "pip",
    "--extra-index-url": "pip",
    "--write-verification-metadata": "gradle",
    "--local": "bundle",
    "--network": "docker build",
    "--no-index": "pip",
    "--offline": "cargo, gradle, yarn",
    "--prod": "pnpm",
    "--production": "bun",
}
"""Options of other programs that the pages name alone."""


def options() -> dict[str, set[str]]:
    """The command line's commands, each with its options."""
    rooms_own = {
        f"--{room.name}-{name}" for room in all_rooms() for name in load(room.name).options
    }
    found: dict[str, set[str]] = {}

    def walk(command: Any, name: str) -> None:
        own = {text for param in command.params for text in (*param.opts, *param.secondary_opts)}
        takes_rooms = command.context_settings == ROOM_OPTIONS
        found[name] = own | {"-h", "--help"} | (rooms_own if takes_rooms else set())
        if isinstance(command, TyperGroup):
            context = command.make_context(name, [], resilient_parsing=True)
            for sub in command.list_commands(context):
                walk(command.get_command(context, sub), f"{name} {sub}")

    walk(typer.main.get_command(app), "vendorpack")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_options_and_commands_exist(name: str) -> None:
    known = options()
    every = set().union(*known.values())
    for span in Page.read(name).spans():
        words = span.split(" -- ")[0].split()
        if words[0] == "vendorpack":
            command = " ".join(words)
            while command not in known:
                command = command.rpartition(" ")[0]
            named = {word.partition("=")[0] for word in words if word.startswith("-")}
            assert command != "vendorpack" or len(words) == 1 or named, f"no command: {span}"
            assert named <= known[command], f"no such option: {span}"
        elif words[0].startswith("--"):
            for word in words:
                start, dots, _ = word.partition("=")[0].partition("…")
                good = any(option.startswith(start) for option in every) if dots else start in every
                assert good or start in FOREIGN or word[:2] != "--", f"no such option: {span}"


# -- tables --------------------------------------------------------------------------------


def rows(section: str) -> list[list[str]]:
    """The cells of the table of a section of README."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    text = text.partition(f"# {section}\n")[2].partition("\n#")[0]
    table = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in table[2:]]


def test_exit_codes() -> None:
    def classes(root: type[VendorpackError]) -> Iterator[type[VendorpackError]]:
        yield root
        for sub in root.__subclasses__():
            yield from classes(sub)

    documented = {int(code) for code, _ in rows("Exit codes")}
    assert documented == {c.exit_code for c in classes(VendorpackError)} | {130, 141}


TESTED = {
    "npm": [f"npm-{version}" for version in test_npm.VERSIONS],
    "pnpm": [f"pnpm-{version}" for version in test_pnpm.VERSIONS],
    "Yarn": [*test_yarn.SCRIPTS],
    "corepack": [f"corepack-{version}" for version in test_corepack.VERSIONS],
    "Bun": [f"bun-{version}" for version in test_bun.VERSIONS],
    "Deno": [f"deno-{version}" for version in test_deno.VERSIONS],
    "pip": [f"pip-{version}" for version in test_pip.VERSIONS],
    "uv": [f"uv-{version}" for version in test_uv.VERSIONS],
    "Poetry": [f"poetry-{version}" for version in test_poetry.VERSIONS],
    "Pipenv": ["pipenv"],
}
"""Client to the folders of `.ci/clients` that its tests run."""


def test_the_clients_of_the_support_table() -> None:
    said: dict[str, list[str]] = {}
    for row in rows("What is supported"):
        name, *versions = re.split(r",? ", row[0])
        said.setdefault(name, []).extend(versions)
    clients = (CHECKOUT / ".ci/clients").read_text()
    pins = dict(re.findall(r"^ *(?:npm_package|venv) (\S+) \S*?(?:==|@)([\d.]+)\b", clients, re.M))
    for name, folders in TESTED.items():
        pinned = [pins[folder] for folder in folders]
        assert len(pinned) == len(said[name]), name
        for version in said[name]:
            assert any(f"{pin}.".startswith(f"{version}.") for pin in pinned), f"{name} {version}"
    assert len(said["Bundler"]) == len(test_bundler.VERSIONS)
    assert tuple(said["Maven"]) == test_maven.VERSIONS
    assert said.keys() == {*TESTED, "Bundler", "Cargo", "Go", "Gradle", "Maven", "PDM"}


# -- links ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", Page.read(name).prose):
        path, _, anchor = target.partition("#")
        if path.startswith("https:"):
            continue
        file = (CHECKOUT / name).parent / path if path else CHECKOUT / name
        assert file.exists(), target
        if anchor:
            page = Page.read(str(file.resolve().relative_to(CHECKOUT)))
            assert anchor in {slug(section) for section in page.sections}, target


def slug(heading: str) -> str:
    """The anchor that a heading has on the usual sites."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_tests_that_the_security_page_names_are_there() -> None:
    page = (CHECKOUT / "docs/security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = [p.read_text(encoding="utf-8") for p in (CHECKOUT / "tests").rglob("test_*.py")]
    known = {name for text in sources for name in re.findall(r"def (test_\w+)\(", text)}
    assert len(named) > 30 and named <= known
