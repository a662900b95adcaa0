"""`run --serve`: an addon for a client that speaks http only, from a bundle, without a network.

bcrypt's own release page is not reached: the addon is one that is compiled here, of a few lines.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.cli import CHECKOUT, Cli
from tests.real.addons import addon
from tests.real.clients import (
    NO_NAMESPACES,
    PROJECTS,
    Machine,
    copy_project,
    cut_off,
    miss,
    pack,
    tool,
)
from tests.real.test_npm import npm
from tests.world import World
from tests.world.files import Files, artifacts_lock, tar_gz

pytestmark = [pytest.mark.real, pytest.mark.network]

RELEASE = "kelektiv/node.bcrypt.js/releases/download/v5.1.1"
NAME = "bcrypt_lib-v5.1.1-napi-v3-linux-x64-glibc.tar.gz"
ADDED = "node_modules/bcrypt/lib/binding/napi-v3/bcrypt_lib.node"
ASK = """\
for path in "" none; do
    curl -s -o /dev/null -w '%{http_code}\\n' "$VENDORPACK_FILES_URL/$path"
done
curl -s "$VENDORPACK_FILES_URL/any/models/en.txt"; env | grep -c '_URL=http://127.0.0.1:'; exit 3
"""


@pytest.fixture
def project(tmp_path: Path, world: World) -> Path:
    """bcrypt 5, with its addon and a file of its own in the lock of extras; packed."""
    script = npm("11")[1]
    mirror = world.site().mount("", Files())
    data = {
        mirror.put(f"{RELEASE}/{NAME}", archive): archive
        for archive in [tar_gz({"napi-v3/bcrypt_lib.node": addon()}, mode=0o755)]
    }
    note = b"english\n"
    data[mirror.put("en.txt", note)] = note
    project = copy_project(PROJECTS / "hello-addon", tmp_path / "project")
    lock = artifacts_lock({url: hashlib.sha256(d).hexdigest() for url, d in data.items()})
    (project / "artifacts.lock.yaml").write_text(f"{lock}    filename: models/en.txt\n")
    program = tmp_path / "programs/npm"
    program.parent.mkdir()
    program.symlink_to(script)
    pack(cli_of(tmp_path), project, "--allow-host", mirror.origin)
    return project


def cli_of(folder: Path) -> Cli:
    paths = [folder / "programs", npm("11")[0].parent]
    return Cli(folder, environ={"PATH": Machine(folder, paths).env()["PATH"]})


def offline(folder: Path, project: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """vendorpack on a machine whose only network is the loopback, as of `docker --network none`."""
    alone = cut_off()
    if alone is None:
        miss(NO_NAMESPACES)
    cli = cli_of(folder)
    argv = cli.argv(*words)
    return subprocess.run(
        [*alone, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *argv],
        cwd=project,
        env={**cli.env(), "HTTP_PROXY": "http://nobody.example:1", "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_an_addon_that_is_taken_by_http(project: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "deps.tar.zst"
    node = npm("11")[0]
    done = offline(tmp_path, project, "run", "--serve", bundle, "--", "npm", "ci")
    assert done.returncode == 0, done.stdout + done.stderr
    code = f"require('bcrypt') && require('./{ADDED}').answer"
    shown = subprocess.run([str(node), "-p", code], cwd=project, capture_output=True, text=True)
    assert shown.stdout == "42\n"
    # Rehearsed, it reaches for nothing; and without the server for just that.
    cli = cli_of(tmp_path)
    done_too = cli("rehearse", "--serve", bundle, "--", "npm", "ci", cwd=project)
    assert done_too.code == 0, done_too.out + done_too.err
    lacking = cli("rehearse", bundle, "--json", "--", "npm", "ci", cwd=project)
    assert lacking.code == 14
    first = next(row for row in lacking.json["reached"] if not row["harmless"])
    assert first["address"].endswith(f"/{RELEASE}/{NAME}")
    assert "run --serve" in first["remedy"]


def test_what_is_served(project: Path, tmp_path: Path) -> None:
    """Files by the end of their name, no list of them, and the command's own exit code."""
    tool("curl")
    bundle = tmp_path / "deps.tar.zst"
    done = offline(tmp_path, project, "run", "--serve", bundle, "--", "sh", "-c", ASK)
    assert done.stdout.splitlines() == ["404", "404", "english", "1"], done.stderr
    assert done.returncode == 3
    done = offline(tmp_path, project, "run", bundle, "--", "sh", "-c", "env | grep _URL=")
    assert done.stdout == ""
