"""Packages whose scripts fetch: warned of at pack, found by `extras`, and silent once pinned."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from tests.cli import Cli
from tests.formats.extras.files import MAVEN
from tests.world.distributions import sha256
from tests.world.files import Files, zip_of
from tests.world.npm import NpmRegistry
from vendorpack.formats._shared.maven.wrapper import wrapper_needs
from vendorpack.project import Host, Project

VERIFICATION = (
    '<verification-metadata xmlns="https://schema.gradle.org/dependency-verification">'
    "<components></components></verification-metadata>"
)
OWN = """\
# ours
metadata: {version: "1.0"}
artifacts:
# a note
- download_url: ADDRESS/notes.txt   # keep
  checksum: sha256:4b3a9b1c5a7f55ad5f0f0f3b1a1f3bd2ed3a29ca9cbf0ffb0c0b7d3a6d3f2d51
"""


def lock(registry: NpmRegistry, folder: Path, scripts: dict[str, dict[str, object]]) -> Path:
    """A project of these packages, each with fields of its package.json."""
    for name, fields in scripts.items():
        registry.publish(name, "1.0.0", None, **fields)
    flags = {name: {"hasInstallScript": True} for name in scripts}
    registry.lock(folder, dict.fromkeys(scripts, "1.0.0"), **flags)
    npmrc = folder / ".npmrc"
    npmrc.write_text(npmrc.read_text() + f"disturl={registry.url}/files\n")
    return folder


def test_from_a_warning_to_silence(registry: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    allow = ("--allow-host", registry.origin)
    project = lock(
        registry,
        tmp_path / "project",
        {
            "addon": {"scripts": {"install": "node-gyp rebuild"}},
            "fallback": {"scripts": {"install": "prebuild-install || node-gyp rebuild"}},
            "harmless": {"scripts": {"postinstall": "echo welcome"}},
        },
    )
    (project / ".nvmrc").write_text("v24.1.0\n")
    done = cli.ok("pack", project, *allow)
    assert done.err.count("`vendorpack extras --write`") == 2
    assert "addon 1.0.0 fetches what is not in the bundle" in done.err
    assert "harmless" not in done.err
    printed = cli.ok("extras", project, *allow).out
    assert f"- download_url: {registry.url}/files/v24.1.0/node-v24.1.0-headers.tar.gz" in printed
    assert "# for addon 1.0.0, fallback 1.0.0; the hash is of what was sent first" in printed
    assert not (project / "artifacts.lock.yaml").exists()
    cli.ok("extras", "--write", project, *allow)
    assert (project / "artifacts.lock.yaml").read_text() == printed
    done = cli.ok("pack", project, *allow)
    assert "warning" not in done.err
    assert "nothing to add" in cli.ok("extras", project, *allow).err


def test_what_is_settled_is_not_warned_of(registry: NpmRegistry, tmp_path: Path) -> None:
    """By its name in a comment; and what the project does not let run."""
    cli = Cli(tmp_path)
    unknown: dict[str, object] = {"scripts": {"install": "fetch-it"}}
    addon: dict[str, object] = {"scripts": {"install": "node-gyp rebuild"}}
    scripts: dict[str, dict[str, object]] = {
        **dict.fromkeys(("tool", "other", "third"), unknown),
        "addon": addon,
    }
    project = lock(registry, tmp_path / "project", scripts)
    options = (project, "--allow-host", registry.origin)
    said = cli.ok("pack", *options).err
    assert "third 1.0.0 (fetch-it)" in said and "`# fetches nothing: NAME`" in said
    settled = "# fetches nothing: tool, other\n"
    (project / "artifacts.lock.yaml").write_text(
        f'metadata: {{version: "1.0"}}\n{settled}artifacts: []\n'
    )
    said = cli.ok("pack", *options).err
    assert "not known: third 1.0.0 (fetch-it): " in said
    assert "addon 1.0.0 fetches" in said
    manifest = json.loads((project / "package.json").read_text())
    (project / "package.json").write_text(json.dumps({**manifest, "allowScripts": {"tool": True}}))
    assert "warning" not in cli.ok("pack", *options).err


def test_what_is_there_stays(registry: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    project = lock(
        registry, tmp_path / "project", {"addon": {"scripts": {"install": "node-gyp rebuild"}}}
    )
    notes = b"notes\n"
    registry.server.mount("notes", Files()).put("notes.txt", notes)
    own = OWN.replace("ADDRESS", f"{registry.url}/notes").replace(
        "4b3a9b1c5a7f55ad5f0f0f3b1a1f3bd2ed3a29ca9cbf0ffb0c0b7d3a6d3f2d51",
        sha256(notes),
    )
    (project / "artifacts.lock.yaml").write_text(own)
    options = ("--allow-host", registry.origin, "--target", "linux-x86_64-node24.1.0")
    cli.ok("extras", "--write", project, *options)
    text = (project / "artifacts.lock.yaml").read_text()
    assert text.startswith(own)
    assert "\n- download_url: " in text.removeprefix(own)
    cli.ok("pack", project, "--allow-host", registry.origin)


def test_hashes_that_the_package_has_are_not_asked_for(
    registry: NpmRegistry, tmp_path: Path
) -> None:
    """Nothing is at that address."""
    sri = "sha512-" + "A" * 86 + "=="
    project = lock(
        registry,
        tmp_path / "project",
        {
            "sharp": {
                "scripts": {"install": "node install/libvips"},
                "repository": "o/sharp",
                "config": {"libvips": "8.14.5", "integrity": {"linux-x64": sri}},
            }
        },
    )
    done = Cli(tmp_path).ok(
        "extras", project, "--allow-host", registry.origin, "--target", "linux-x86_64"
    )
    file = "v8.14.5/libvips-8.14.5-linux-x64.tar.br"
    assert f"download_url: https://github.com/o/sharp-libvips/releases/download/{file}" in done.out
    assert f"checksum: sha512:{'00' * 64}" in done.out
    assert "the hash is the package's own" in done.out


def test_what_nothing_says_the_address_of(registry: NpmRegistry, tmp_path: Path) -> None:
    """No version of Node is named, so that headers have none."""
    project = lock(
        registry, tmp_path / "project", {"addon": {"scripts": {"install": "node-gyp rebuild"}}}
    )
    done = Cli(tmp_path).ok("extras", project, "--allow-host", registry.origin)
    assert "addon 1.0.0 fetches node-v*-headers.tar.gz or addon-v1.0.0-*.tar.gz" in done.err
    assert done.out == ""


def test_hashes_of_a_list_of_checksums(registry: NpmRegistry, tmp_path: Path) -> None:
    """As electron has one. Nothing is at that address."""
    name = "shell-v1.0.0-linux-x64.zip"
    sums = {name: "ab" * 32, "shell-v1.0.0-darwin-arm64.zip": "cd" * 32}
    registry.publish(
        "shell",
        "1.0.0",
        {"checksums.json": json.dumps(sums).encode()},
        scripts={"postinstall": "node install.js"},
        repository={"url": "git+https://github.com/o/shell.git"},
    )
    registry.lock(tmp_path / "project", {"shell": "1.0.0"}, shell={"hasInstallScript": True})
    options = (tmp_path / "project", "--allow-host", registry.origin, "--target", "linux-x86_64")
    done = Cli(tmp_path).ok("extras", *options)
    assert f"download_url: https://github.com/o/shell/releases/download/v1.0.0/{name}" in done.out
    assert f"checksum: sha256:{'ab' * 32}" in done.out
    assert "the hash is the package's own" in done.out
    assert "darwin" not in done.out


def test_a_wrapper_without_a_hash(registry: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    url = f"{registry.url}/dist/gradle-8.10-bin.zip"
    registry.server.mount("dist", Files()).put("gradle-8.10-bin.zip", zip_of({"g/bin/g": b"-"}))
    project = tmp_path / "project"
    properties = project / "gradle/wrapper/gradle-wrapper.properties"
    properties.parent.mkdir(parents=True)
    properties.write_text(f"distributionBase=GRADLE_USER_HOME\ndistributionUrl={url}\n")
    (project / "gradle/verification-metadata.xml").write_text(VERIFICATION)
    options = (project, "--allow-host", registry.origin)
    done = cli.ok("pack", *options)
    assert done.err.count("distributionSha256Sum is missing") == 1
    assert "wrapper/gradle-wrapper.properties:2: the wrapper of gradle" in done.err
    cli.ok("extras", "--write", *options)
    text = (project / "artifacts.lock.yaml").read_text()
    assert f"- download_url: {url}" in text
    assert "the hash is of what was sent first" in text
    done = cli.ok("pack", *options)
    assert "distributionSha256Sum" not in done.err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"distributionUrl={MAVEN}\ndistributionType=only-script\n", 1),
        (f"distributionUrl={MAVEN}\n", 1),
        (f"distributionUrl={MAVEN}\nwrapperUrl=https://example.com/w.jar\n", 0),
        (f"distributionUrl={MAVEN}\ndistributionType=bin\n", 0),
        (f"distributionUrl={MAVEN}\ndistributionSha256Sum=00\n", 0),
        ("distributionUrl=file\\:///a.zip\n", 0),
        ("distributionUrl=https://me:canary@example.com/a.zip\n", 0),
        ("", 0),
    ],
)
def test_what_a_wrapper_needs(text: str, found: int, tmp_path: Path) -> None:
    (tmp_path / "w.properties").write_text(text)
    project = Project(tmp_path, PurePosixPath("lock"), Host({}, tmp_path, "linux"))
    needs = [*wrapper_needs(project, "w.properties", "./mvnw", "mvn")]
    assert [need.any_of[0].url for need in needs] == [MAVEN] * found
