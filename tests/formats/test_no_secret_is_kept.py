"""A bundle of every room that took a login to make: the login is in nothing that was made."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from tests.formats.samples import SAMPLES
from vendorpack.boundary import check_packed
from vendorpack.bundle import tar
from vendorpack.bundle.manifest import Head, Manifest, manifest_id
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.contract import Case
from vendorpack.environment import ENV_NAME, env_file
from vendorpack.formats import BUILTIN
from vendorpack.model import Entry, Json
from vendorpack.pack import artifact_record, environment_of
from vendorpack.report.content import content_of
from vendorpack.report.page import render
from vendorpack.sbom.cyclonedx import cyclonedx
from vendorpack.sbom.provenance import provenance
from vendorpack.sbom.spdx import spdx
from vendorpack.store.local import Store

SECRET = "canary-5ecret"
FORMS = (SECRET, base64.b64encode(f"u:{SECRET}".encode()).decode())
ROOMS = {room.name: room for room in BUILTIN}


@dataclass(frozen=True)
class Given:
    """Where the login stands: files of the project's or of the home, or the environment."""

    files: Mapping[str, str] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


NPMRC = Given({".npmrc": f"registry=https://u:{SECRET}@registry.npmjs.org/\n"})
BY_TOKEN = Given(
    {".npmrc": "//registry.npmjs.org/:_authToken=${TOKEN}\n"}, environ={"TOKEN": SECRET}
)
PIP = Given(environ={"PIP_INDEX_URL": f"https://u:{SECRET}@pypi.org/simple"})
MAVEN = Given(
    home={
        ".m2/settings.xml": "<settings><servers><server><id>central</id><username>u</username>"
        f"<password>{SECRET}</password></server></servers></settings>"
    }
)
MINE = (
    '[tool.poetry]\n[[tool.poetry.source]]\nname = "mine"\npriority = "explicit"\n'
    f'url = "https://u:{SECRET}@pypi.org/simple"\n'
)
EXTRAS = SAMPLES["extras"].files["artifacts.lock.yaml"].decode().replace('"1.0"', '"2.0"')
GIVEN: Mapping[str, tuple[Given, ...]] = {
    "npm": (NPMRC, BY_TOKEN),
    "pnpm": (NPMRC, BY_TOKEN),
    "bun": (
        NPMRC,
        Given(
            {
                "bunfig.toml": '[install.registry]\nurl = "https://registry.npmjs.org/"\n'
                f'token = "{SECRET}"\n'
            }
        ),
    ),
    "deno": (NPMRC, BY_TOKEN),
    "yarn-classic": (NPMRC, BY_TOKEN),
    "yarn-berry": (
        Given({".yarnrc.yml": f'npmAuthToken: "{SECRET}"\n'}),
        Given({".yarnrc.yml": f"npmRegistryServer: 'https://u:{SECRET}@registry.npmjs.org'\n"}),
    ),
    "uv": (Given(environ={"UV_DEFAULT_INDEX": f"https://u:{SECRET}@pypi.org/simple"}),),
    "poetry": (
        Given({"pyproject.toml": MINE}),
        Given(
            {"pyproject.toml": MINE.replace(f"u:{SECRET}@", "")},
            environ={
                "POETRY_HTTP_BASIC_MINE_USERNAME": "u",
                "POETRY_HTTP_BASIC_MINE_PASSWORD": SECRET,
            },
        ),
    ),
    "pipenv": (Given(environ={"PIPENV_PYPI_MIRROR": f"https://u:{SECRET}@pypi.org/simple"}),),
    "pdm": (Given(environ={"PDM_PYPI_URL": f"https://u:{SECRET}@pypi.org/simple"}),),
    "pip": (PIP,),
    "cargo": (Given(environ={"CARGO_HTTP_PROXY": f"http://u:{SECRET}@proxy.example"}),),
    "gomod": (Given(environ={"GOPROXY": f"https://u:{SECRET}@proxy.golang.org"}),),
    "bundler": (Given(environ={"BUNDLE_RUBYGEMS__ORG": f"u:{SECRET}"}),),
    "maven": (MAVEN,),
    "gradle": (MAVEN,),
    "extras": (
        Given(
            {
                "artifacts.lock.yaml": EXTRAS.replace(
                    "    checksum:", "    auth: {bearer: {value: $TOKEN}}\n    checksum:", 1
                )
            },
            environ={"TOKEN": SECRET},
        ),
    ),
}
CASES = [(room, given) for room, all_of_it in GIVEN.items() for given in all_of_it]


def test_every_room_is_asked() -> None:
    assert GIVEN.keys() == ROOMS.keys()


def uses(case: Case) -> bool:
    """Whether the room has taken the login from where it stands."""
    access = case.lockfile.access
    held = [c.header for c in access.credentials] + [*access.proxies.values()]
    return any(form in text for text in held for form in FORMS)


def write(case: Case) -> None:
    """The bundle, as `pack` writes it."""
    lock, room = case.sample.lockfile, case.room
    fingerprint = dict(room.fingerprint(case.project(), case.sample.options))
    head = Head(
        key="ab" * 32,
        lockfiles=(),
        layouts={room.name: room.layout_version},
        options={lock: cast(Json, fingerprint)},
        artifacts=tuple(artifact_record(p, room.name) for p in case.gathered.artifacts),
        environment=environment_of(case.gathered),
    )
    env: list[tuple[Entry, int | None]] = [(Entry(ENV_NAME, env_file(head.environment)), None)]
    entries = case.entries(case.gathered)
    sections = [Section("", False, env), Section(room.name, room.opens_artifacts, entries)]
    read = Store(case.folder / "store").chunks
    write_bundle(case.folder / "b.tar.zst", head, sections, read_blob=read, jobs=1)


def texts(manifest: Manifest) -> Iterator[str]:
    """All that is made of a bundle for people and their tools."""
    bundle_id = manifest_id(manifest.dump())
    for document in (cyclonedx, spdx, provenance):
        yield json.dumps(document(manifest, bundle_id))
    yield render(content_of(manifest, bundle_id), None, None)
    yield repr(manifest)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_no_secret_is_kept(number: int, tmp_path: Path) -> None:
    room, given = CASES[number]
    sample = SAMPLES[room]
    files = {name: text.encode() for name, text in given.files.items()}
    sample = replace(sample, files={**sample.files, **files}, environ=given.environ)
    for name, text in given.home.items():
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_text(text)
    case = Case(ROOMS[room], sample, tmp_path)
    assert uses(case), "else this test would say nothing"
    assert not any(form in repr(case.lockfile) for form in FORMS)
    check_packed(room, ROOMS[room].boundary, environment_of(case.gathered))
    write(case)
    with open_bundle(tmp_path / "b.tar.zst") as bundle:
        reader = bundle.reader()
        content = b"".join(bytes(reader.read(frame)) for frame in bundle.frames)
        assert len(content) > tar.BLOCK
        made = [content, bundle.manifest_bytes]
        made += [text.encode() for text in texts(bundle.manifest)]
    store = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert store
    made += [path.read_bytes() for path in store]
    made += [str(path).encode() for path in (tmp_path / "store").rglob("*")]
    for form in FORMS:
        assert not any(form.encode() in data for data in made)
