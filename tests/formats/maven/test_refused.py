"""What must not get into a bundle, packed as a user would from a registry that sends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli, Done
from tests.world import World
from tests.world.files import Files

JAR = "org/example/thing/1.0/thing-1.0.jar"
POM = "org/example/thing/1.0/thing-1.0.pom"
PARENT = "org/example/parent/1/parent-1.pom"
NAME = "checksums-corp.sha256"
SUMMARY = f".mvn/checksums/{NAME}"

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
BOMBS = {
    "entities": f'<!DOCTYPE a [<!ENTITY l0 "ha">{_LAUGHS}]><project><name>&l11;</name></project>',
    "a file": '<!DOCTYPE a SYSTEM "file:///etc/passwd"><project/>',
    "a folder": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/">]><project>&x;</project>',
    "depth": "<project>" + "<a>" * 100_000,
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


@pytest.fixture
def registry(world: World) -> Files:
    """A repository called corp, over https."""
    registry = world.site(tls=True).mount("m2", Files())
    for path in (JAR, POM):
        registry.put(path, path.encode())
    return registry


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def summary(registry: Files) -> str:
    """What Maven would have recorded of all that is there."""
    return "".join(f"{sha256(data)}  {path}\n" for path, data in sorted(registry.at.items()))


def lockfile_json(registry: Files) -> str:
    """The jar, as maven-lockfile has it: without its POM."""
    entry = {
        "groupId": "org.example",
        "artifactId": "thing",
        "version": "1.0",
        "checksumAlgorithm": "SHA-256",
        "checksum": sha256(registry.at[JAR]),
        "resolved": f"{registry.url}/{JAR}",
        "repositoryId": "corp",
    }
    lock = {"artifactId": "app", "lockFileVersion": 1, "dependencies": [entry]}
    return json.dumps(lock, indent=2)


def with_sidecar(registry: Files, path: str, data: bytes) -> None:
    registry.put(path, data)
    registry.put(f"{path}.sha256", sha256(data).encode())


def pack(world: World, registry: Files, name: str, text: str) -> Done:
    """The exit code and messages; there is a bundle if it is 0 alone."""
    lock = world.folder / "project" / name
    lock.parent.mkdir(parents=True)
    lock.write_text(text)
    cli = Cli(world.folder, environ=world.environ)
    # Maven 3.8's own jar is the public registry's: nothing here may ask that.
    options = ("--maven-repo", f"corp={registry.url}", "--exclude", "org.codehaus.plexus:*")
    some = options if name == SUMMARY else options[:2]
    done = cli("pack", "project", "-o", "deps.tar.zst", *some)
    assert (done.code == 0) is (world.folder / "deps.tar.zst").exists()
    return done


def test_what_is_as_it_was_recorded_is_packed(world: World, registry: Files) -> None:
    done = pack(world, registry, SUMMARY, summary(registry))
    assert done.code == 0, done.err


def test_a_jar_that_was_changed_on_the_registry(world: World, registry: Files) -> None:
    recorded = summary(registry)
    registry.put(JAR, b"another jar")
    done = pack(world, registry, SUMMARY, recorded)
    assert done.code == 8
    assert "org.example:thing 1.0 is not what the" in done.err and f"{NAME}:1" in done.err


@pytest.mark.parametrize("path", [JAR, POM])
def test_two_hashes_of_one_path(path: str, world: World, registry: Files) -> None:
    text = summary(registry) + f"{sha256(b'another')}  {path}\n"
    done = pack(world, registry, SUMMARY, text)
    assert done.code == 4
    assert f"{path} is pinned twice, with different hashes" in done.err
    assert f"{NAME}:3" in done.err


def test_two_hashes_of_one_path_in_two_files(world: World, registry: Files) -> None:
    """Each file is right for itself: one repository cannot hold both."""
    (world.folder / "project/.mvn/checksums").mkdir(parents=True)
    other = world.folder / "project/.mvn/checksums/checksums-other.sha256"
    other.write_text(f"{sha256(b'another')}  {JAR}\n")
    lock = world.folder / "project" / SUMMARY
    lock.write_text(summary(registry))
    site = registry.server.mount("other", Files())
    site.put(JAR, b"another")
    done = Cli(world.folder, environ=world.environ)(
        "pack", "project", "-o", "deps.tar.zst", "--exclude", "org.codehaus.plexus:*",
        "--maven-repo", f"corp={registry.url},other={site.url}",
    )  # fmt: skip
    assert done.code not in (0, 1) and "thing-1.0.jar" in done.err
    assert not (world.folder / "deps.tar.zst").exists()


@pytest.mark.parametrize(
    "path",
    ["../../../etc/cron.d/1.0/x-1.0.jar", "/etc/cron.d/1.0/x-1.0.jar", "org/../../x/1.0/x-1.0.jar"],
)
def test_a_path_that_leads_outside(path: str, world: World, registry: Files) -> None:
    done = pack(world, registry, SUMMARY, f"{sha256(b'x')}  {path}\n")
    assert done.code == 4
    assert "no path of a Maven repository" in done.err and f"{NAME}:1" in done.err


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("path", [POM, PARENT])
def test_a_bomb_among_the_poms(kind: str, path: str, world: World, registry: Files) -> None:
    """Read at the moment that its parents are looked for; a parent's as well as its own."""
    child = "<parent><groupId>org.example</groupId><artifactId>parent</artifactId><version>1"
    child = f"<project>{child}</version></parent></project>"
    with_sidecar(registry, POM, child.encode())
    with_sidecar(registry, path, BOMBS[kind].encode())
    done = pack(world, registry, "lockfile.json", lockfile_json(registry))
    assert done.code == 4
    assert ("document type" in done.err) or ("nested too deeply" in done.err)
    assert f"pkg:maven/org.example/{path.split('/')[2]}@" in done.err and "--exclude" in done.err


def test_a_pom_that_is_no_xml_is_carried_as_clients_take_it(world: World, registry: Files) -> None:
    with_sidecar(registry, POM, b"<project>&nonsense")
    done = pack(world, registry, "lockfile.json", lockfile_json(registry))
    assert done.code == 0, done.err
