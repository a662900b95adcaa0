"""go builds and tests from a bundle with the network cut off."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from tests.cli import CHECKOUT, Cli
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

WRITABLE = {"GOFLAGS": "-modcacherw"}
"""Else the test's folder could not be removed by just anybody."""


VERSIONS = ["system", "1.21", "1.27"]


def folder_of(version: str) -> Path:
    """Where a go of that version is."""
    return Path(tool("go")).parent if version == "system" else client(f"go-{version}") / "bin"


def machine(folder: Path, version: str = "system") -> Machine:
    return Machine(folder, [folder_of(version)])


@pytest.fixture(scope="module")
def bundle(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gomod") / "deps.tar.zst"
    pack(real_cli, PROJECTS / "hello-go/go.sum", "-o", path)
    return path


@pytest.fixture
def prefix(bundle: Path, tmp_path: Path) -> Path:
    return extract(bundle, tmp_path / "deps")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return copy_project(PROJECTS / "hello-go", tmp_path / "app")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ordinary_commands(prefix: Path, app: Path, tmp_path: Path, version: str) -> None:
    here = machine(tmp_path, version)
    lock = (app / "go.sum").read_bytes()
    here.offline("go", "build", "-o", "hello", ".", cwd=app, prefix=prefix, env=WRITABLE)
    assert here.offline("./hello", cwd=app) == "hello en\n"
    for command in (["vet", "./..."], ["test", "./..."], ["mod", "download"]):
        here.offline("go", *command, cwd=app, prefix=prefix, env=WRITABLE)
    assert (app / "go.sum").read_bytes() == lock


def test_another_user_s_folder(prefix: Path, app: Path, tmp_path: Path) -> None:
    """It is no module cache then, and a proxy still, as the page says."""
    here = machine(tmp_path)
    nobody = another_user(here.home, app)
    listing = ("go", "list", "-deps", "./...")
    refused = here.attempt(*nobody, *listing, cwd=app, prefix=prefix)
    assert refused.code != 0 and "permission denied" in refused.out
    (line,) = re.findall(r"`(export GOPROXY=file:[^`]+)`", (CHECKOUT / "docs/go.md").read_text())
    script = f'{line}; exec "$@"'
    private = {**WRITABLE, "GOPRIVATE": "github.com/*"}
    command = (*nobody, "sh", "-c", script, "sh", *listing)
    listed = here.offline(*command, cwd=app, prefix=prefix, env=private)
    assert "github.com/BurntSushi/toml\n" in listed


def test_go_itself_refuses_a_zip_that_was_changed(prefix: Path, app: Path, tmp_path: Path) -> None:
    (archive,) = prefix.glob("go/cache/download/github.com/!burnt!sushi/toml/@v/*.zip")
    with zipfile.ZipFile(archive) as good:
        members = [(info, good.read(info)) for info in good.infolist()]
    with zipfile.ZipFile(archive, "w") as bad:
        for info, content in members:
            bad.writestr(
                info, content + b"\n// changed\n" if info.filename.endswith(".go") else content
            )
    done = machine(tmp_path).attempt("go", "build", ".", cwd=app, prefix=prefix, env=WRITABLE)
    assert done.code != 0
    assert "checksum mismatch" in done.out


def test_a_workspace(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    copy_project(PROJECTS / "hello-go", root / "hello")
    (root / "go.work").write_text("go 1.22\n\nuse ./hello\n")
    path = bundles / "deps.tar.zst"
    pack(real_cli, root / "go.work", "-o", path)
    prefix = extract(path, tmp_path / "deps")
    here = machine(tmp_path)
    here.offline("go", "build", "-o", "out", "./hello", cwd=root, prefix=prefix, env=WRITABLE)
    assert here.offline("./out", cwd=root) == "hello en\n"


def test_a_project_that_needs_nothing(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "lib").mkdir(parents=True)
    (app / "go.mod").write_text(
        "module app\n\ngo 1.22\n\nrequire own.example/lib v0.0.0\n\n"
        "replace own.example/lib => ./lib\n"
    )
    (app / "main.go").write_text(
        'package main\n\nimport "own.example/lib"\n\nfunc main() { println(lib.Name) }\n'
    )
    (app / "lib/go.mod").write_text("module own.example/lib\n\ngo 1.22\n")
    (app / "lib/lib.go").write_text('package lib\n\nconst Name = "lib"\n')
    path = bundles / "deps.tar.zst"
    pack(real_cli, app, "-o", path)
    prefix = extract(path, tmp_path / "deps")
    here = machine(tmp_path)
    here.offline("go", "build", "-o", "out", ".", cwd=app, prefix=prefix, env=WRITABLE)
    assert here.offline("./out", cwd=app) == "lib\n"


def test_the_toolchain_that_a_project_names(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "go.mod").write_text("module app\n\ngo 1.27.0\n\ntoolchain go1.27.3\n")
    (app / "main.go").write_text(
        'package main\n\nimport "runtime"\n\nfunc main() { println(runtime.Version()) }\n'
    )
    path = bundles / "deps.tar.zst"
    target = ("--target", "linux-x86_64", "--gomod-toolchain", "yes")
    pack(real_cli, app, "-o", path, *target)
    prefix = extract(path, tmp_path / "a folder")
    here = machine(tmp_path, "1.21")
    said = here.offline("go", "version", cwd=app, prefix=prefix, env=WRITABLE)
    assert said.endswith("go version go1.27.3 linux/amd64\n")
    here.offline("go", "build", "-o", "out", ".", cwd=app, prefix=prefix, env=WRITABLE)
    assert here.offline("./out", cwd=app) == "go1.27.3\n"
    assert not (app / "go.sum").exists()
    _is_refused_once_changed(real_cli, path, prefix, tmp_path)


def _is_refused_once_changed(cli: Cli, bundle: Path, prefix: Path, folder: Path) -> None:
    """A changed toolchain, by vendorpack: go itself asks the checksum database alone."""
    (archive,) = prefix.glob("go/cache/download/golang.org/toolchain/@v/*.zip")
    for file in (archive, bundle):  # which is hardly more than that archive
        with file.open("r+b") as content:
            content.seek(file.stat().st_size // 2)
            byte = content.read(1)[0]
            content.seek(-1, 1)
            content.write(bytes([byte ^ 1]))
    done = cli("verify", prefix)
    assert done.code != 0 and archive.name in done.out + done.err
    done = cli("unpack", bundle, "--prefix", folder / "refused")
    assert done.code != 0 and "damaged" in done.err
    assert not (folder / "refused").exists()
