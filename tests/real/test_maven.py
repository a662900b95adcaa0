"""Maven 3.8 to 4 and Gradle build from a bundle with the network cut off."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import (
    PROJECTS,
    Machine,
    another_user,
    client,
    copy_project,
    extract,
    pack,
    tool,
)

pytestmark = [pytest.mark.real, pytest.mark.network]

HELLO = PROJECTS / "hello-maven"
VERSIONS = ("3.8", "3.9", "3.10", "4.0")
BUILT = "BUILD SUCCESS"


def maven(version: str) -> Path:
    """3.8 is the system's; the others are unpacked."""
    if version == "3.8":
        return Path(tool("mvn"))
    (folder,) = (client(f"maven-{version}")).glob("apache-maven-*")
    return folder / "bin/mvn"


def machine(folder: Path) -> tuple[Machine, dict[str, str]]:
    """A machine, and what makes Java take its home for the user's."""
    target = Machine(folder)
    return target, {"MAVEN_OPTS": f"-Duser.home={target.home}"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_read_only_bundle_of_another_user(
    version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    """Compiled, tested and shaded, by who may write to his own home and no more."""
    program = maven(version)
    pack(real_cli, HELLO, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    project = copy_project(HELLO, tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    target, env = machine(tmp_path)
    nobody = another_user(target.home, project)
    shown = target.offline(
        *nobody, program, "-B", "-o", "package", cwd=project, prefix=prefix, env=env
    )
    assert BUILT in shown and "Tests run: 1, Failures: 0" in shown
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    (jar,) = (project / "target").glob("small-1.0.jar")
    assert target.offline(tool("java"), "-cp", jar, "ex.A", cwd=project) == '{"ok":1}\n'
    done = Machine(tmp_path / "other").attempt(program, "-B", "-o", "package", cwd=project)
    assert done.code != 0


@pytest.mark.parametrize("version", ["3.8", "3.9"])
def test_maven_s_own_repository(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    pack(real_cli, HELLO, "-o", bundles / "deps.tar.zst")
    target, env = machine(tmp_path)
    done = Cli(tmp_path)("unpack", bundles / "deps.tar.zst")
    assert done.code == 0, done.err
    project = copy_project(HELLO, tmp_path / "project")
    shown = target.offline(maven(version), "-B", "-o", "package", cwd=project, env=env)
    assert BUILT in shown
    assert list((target.home / ".m2/repository").rglob("jackson-core-*.jar"))


def test_a_folder_with_a_space(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    pack(real_cli, HELLO, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "my deps")
    done = Machine(tmp_path).attempt("true", cwd=tmp_path, prefix=prefix)
    assert done.code != 0 and "cannot hold a folder with a space" in done.out
    said = real_cli("env", prefix)
    assert said.code != 0 and "without a space" in said.err


def test_the_project_s_own_check_is_content(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """A project that has Maven 3.9 verify all it resolves, by where it came from."""
    project = copy_project(HELLO, tmp_path / "project")
    start = "-Daether.artifactResolver.postProcessor.trustedChecksums"
    config = [
        f"{start}=true",
        f"{start}.checksumAlgorithms=SHA-256",
        f"{start}.failIfMissing=true",
        "-Daether.trustedChecksumsSource.summaryFile=true",
        "-Daether.trustedChecksumsSource.summaryFile.basedir=${session.rootDirectory}/.mvn/checksums",
    ]
    (project / ".mvn/maven.config").write_text("\n".join(config) + "\n")
    # What the build itself makes is in no record: the goal before it is enough.
    pack(real_cli, project, "-o", bundles / "tracked.tar.zst")
    prefix = extract(bundles / "tracked.tar.zst", tmp_path / "deps")
    target, env = machine(tmp_path)
    command = (maven("3.9"), "-B", "-o", "test-compile")
    assert BUILT in target.offline(*command, cwd=project, prefix=prefix, env=env)
    (jar,) = prefix.rglob("jackson-core-*.jar")
    jar.write_bytes(jar.read_bytes() + b"x")
    done = target.attempt(*command, cwd=project, prefix=prefix, env=env)
    assert done.code != 0 and "trusted checksum mismatch" in done.out


def test_a_lockfile_json(real_cli: Cli, tmp_path: Path) -> None:
    """Of the maven-lockfile plugin, which lists no POMs and no provider of surefire's."""
    project = copy_project(HELLO, tmp_path / "project")
    shutil.rmtree(project / ".mvn")
    plugin = "io.github.chains-project:maven-lockfile:5.18.3:generate"
    online = subprocess.run(
        [maven("3.9"), "-B", "-q", plugin, f"-Dmaven.repo.local={tmp_path / 'online'}"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert online.returncode == 0, online.stdout
    done = pack(real_cli, project, "-o", tmp_path / "deps.tar.zst")
    assert "tests will not run offline" in done.err
    shown = json.loads(real_cli.ok("show", tmp_path / "deps.tar.zst", "--json").out)
    trust = {a["trust"] for a in shown["artifacts"] if a["purl"].endswith("type=pom")}
    assert trust == {"lockfile", "registry"}
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target, env = machine(tmp_path)
    shown_by = target.offline(
        maven("3.9"), "-B", "-o", "package", "-Dmaven.test.skip=true",
        cwd=project, prefix=prefix, env=env,
    )  # fmt: skip
    assert BUILT in shown_by


def test_a_project_without_a_lock_is_told_how(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pom.xml").write_text("<project/>")
    done = Cli(tmp_path)("pack", tmp_path / "project")
    assert done.code == 3 and "trustedChecksums.record=true" in done.err


def test_the_command_that_records_a_lock(real_cli: Cli, tmp_path: Path) -> None:
    """As the error prints it; then a pack, and the build from that alone."""
    project = copy_project(HELLO, tmp_path / "project")
    shutil.rmtree(project / ".mvn")
    said = real_cli("pack", project).err
    command = next(row.strip() for row in said.splitlines() if "mvn package" in row)
    program = maven("3.9")
    env = {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    recorded = subprocess.run(["sh", "-c", command], cwd=project, env=env, capture_output=True)
    assert recorded.returncode == 0, recorded.stdout
    pack(real_cli, project, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target, more = machine(tmp_path / "machine")
    shutil.rmtree(project / "target")
    shown = target.offline(program, "-B", "-o", "package", cwd=project, prefix=prefix, env=more)
    assert BUILT in shown


def test_gradle(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    gradle = tool("gradle")
    project = copy_project(PROJECTS / "hello-gradle", tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "gradle.tar.zst")
    prefix = extract(bundles / "gradle.tar.zst", tmp_path / "deps")
    target = Machine(tmp_path)
    script = f"ip link set lo up && . {prefix}/vendorpack.env && exec {gradle} --offline build"
    shown = target.offline("sh", "-c", f"{script} --no-daemon", cwd=project)
    assert "BUILD SUCCESSFUL" in shown
    assert {p: p.read_bytes() for p in before} == before
    assert list((project / "build/libs").glob("*.jar"))
