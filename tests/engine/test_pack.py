"""pack, end to end over a registry on the loopback: what is fetched, kept and refused."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import tool
from tests.world import Reply
from tests.world.npm import NpmRegistry, sri, tarball

PACKAGES = {"a": "1.0.0", "b": "2.0.0", "@s/c": "3.0.0", "d": "4.0.0"}


@pytest.fixture
def project(npm: NpmRegistry, tmp_path: Path) -> Path:
    npm.lock(tmp_path / "project", PACKAGES)
    return tmp_path / "project"


def blobs(folder: Path) -> set[bytes]:
    return {p.read_bytes() for p in (folder / "v1/blobs").rglob("*") if p.is_file()}


def test_pack_then_nothing_to_do(npm: NpmRegistry, project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    packed = cli.ok("pack", project, "-o", "deps.tar.zst", "--json").json
    assert packed["downloaded"] == 4 and len(npm.server.requests) == 4
    assert packed["key"] == cli.ok("key", project).out.strip()
    assert packed["key"] == cli.ok("show", "deps.tar.zst", "--json").json["key"]
    before = (tmp_path / "deps.tar.zst").stat()

    again = cli.ok("pack", project, "-o", "deps.tar.zst", "--json")
    assert again.json["reused"] and again.json["id"] == packed["id"]
    assert "nothing to do" in again.err
    after = (tmp_path / "deps.tar.zst").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    # With another output everything comes from the store: not one request either.
    assert cli.ok("pack", project, "-o", "other.tar.zst", "--json").json["from_store"] == 4
    assert len(npm.server.requests) == 4
    assert (tmp_path / "other.tar.zst").read_bytes() == (tmp_path / "deps.tar.zst").read_bytes()


def test_one_changed_package_is_one_download(
    npm: NpmRegistry, project: Path, tmp_path: Path
) -> None:
    cli = Cli(tmp_path)
    first = cli.ok("pack", project, "--json").json
    npm.lock(project, {**PACKAGES, "b": "2.0.1"})
    npm.server.requests.clear()
    second = cli.ok("pack", project, "--json").json
    assert npm.server.paths == ["/b/-/b-2.0.1.tgz"]
    assert second["key"] != first["key"] and second["from_store"] == 3


def test_the_same_bytes_everywhere(npm: NpmRegistry, project: Path, tmp_path: Path) -> None:
    runs = {
        "one": (Cli(tmp_path, "store1"), ()),
        "two": (
            Cli(
                tmp_path,
                "store2",
                {
                    "LANG": "C",
                    "LC_ALL": "tr_TR.UTF-8",
                    "TZ": "Pacific/Kiritimati",
                    "PYTHONHASHSEED": "7",
                    "PYTHONUTF8": "0",
                },
                umask=0o077,
            ),
            ("--jobs", "1"),
        ),
    }
    made = set()
    for name, (cli, options) in runs.items():
        cli.ok("pack", project, "-o", f"{name}.tar.zst", *options)
        made.add((tmp_path / f"{name}.tar.zst").read_bytes())
    assert len(made) == 1 and len(npm.server.requests) == 8


def test_source_date_epoch_and_level_make_another_file(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", project)
    dated = Cli(tmp_path, environ={"SOURCE_DATE_EPOCH": "86400"})
    assert not dated.ok("pack", project, "--json").json["reused"]
    assert dated.ok("pack", project, "--json").json["reused"]
    assert not dated.ok("pack", project, "--json", "--level", "9").json["reused"]
    assert Cli(tmp_path, environ={"SOURCE_DATE_EPOCH": "now"})("pack", project).code == 2


@pytest.mark.parametrize("what", ["flipped", "html"])
def test_a_tampered_artifact_is_refused(
    npm: NpmRegistry, project: Path, tmp_path: Path, what: str
) -> None:
    good = npm.packages[npm.path("b", "2.0.0")]
    bad = {"flipped": good[:-1] + bytes([good[-1] ^ 1]), "html": b"<!DOCTYPE html><h1>Log in"}[what]
    npm.packages[npm.path("b", "2.0.0")] = bad
    done = Cli(tmp_path)("pack", project)
    assert done.code == 8 and done.out == ""
    line = (project / "package-lock.json").read_text().splitlines().index(
        '    "node_modules/b": {'
    ) + 1
    for text in (
        f"package-lock.json:{line}",
        "b 2.0.0",
        npm.address("b", "2.0.0"),
        f"expected {sri(good)}",
        f"actual   {sri(bad)}",
        "HTML page" if what == "html" else "its hash differs",
    ):
        assert text in done.err
    assert not (tmp_path / "deps.tar.zst").exists()
    assert bad not in blobs(tmp_path / "store")
    parts = (tmp_path / "store/v1/parts").glob("*.part")
    assert not any(part.read_bytes() == bad for part in parts)


def test_a_damaged_store_mends_itself(npm: NpmRegistry, project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", project)
    whole = (tmp_path / "deps.tar.zst").read_bytes()
    (tmp_path / "deps.tar.zst").unlink()
    for path in (tmp_path / "store/v1/blobs").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            break
    npm.server.requests.clear()
    cli.ok("pack", project)
    assert len(npm.server.requests) == 1
    assert (tmp_path / "deps.tar.zst").read_bytes() == whole


def test_a_damaged_output_is_written_anew(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", project)
    output = tmp_path / "deps.tar.zst"
    whole = output.read_bytes()
    output.write_bytes(whole[:1000] + b"x" + whole[1001:])
    cli.ok("pack", project)
    assert output.read_bytes() == whole


def test_nothing_to_do_takes_no_event_loop(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", project)
    code = (
        "import sys; from vendorpack.cli import app\n"
        f"try: app(['pack', {str(project)!r}])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=cli.env(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.splitlines()[-1].split())
    assert "vendorpack.pack" in modules
    assert not modules & {"aiohttp", "asyncio", "concurrent.futures", "vendorpack.demands"}


@pytest.mark.parametrize(
    ("signal_number", "in_background"),
    [
        (signal.SIGKILL, False),
        (signal.SIGTERM, False),
        (signal.SIGTERM, True),
        (signal.SIGINT, False),
    ],
)
def test_interrupted_and_resumed(
    npm: NpmRegistry,
    project: Path,
    tmp_path: Path,
    signal_number: signal.Signals,
    in_background: bool,
) -> None:
    """Three artifacts arrive, the fourth hangs; then the process is ended.

    In the background of a script, a process is started with SIGINT ignored.
    """
    path = npm.path("d", "4.0.0")
    npm.stalled.add(path)
    cli = Cli(tmp_path)
    ignored = signal.SIG_IGN if in_background else signal.default_int_handler
    before = signal.signal(signal.SIGINT, ignored)
    try:
        process = cli.start("pack", project)
    finally:
        signal.signal(signal.SIGINT, before)
    while len(blobs(tmp_path / "store")) < 3:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (-9 if signal_number == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    assert not (tmp_path / "deps.tar.zst").exists()

    npm.stalled.clear()
    npm.server.requests.clear()
    cli.ok("pack", project)
    assert npm.server.paths == [path]
    left = [p.name for p in tmp_path.iterdir() if "deps" in p.name]
    assert left == ["deps.tar.zst"]


def test_two_at_once_agree(npm: NpmRegistry, project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    jobs = [
        cli.start("pack", project, "-o", name) for name in ("1.tar.zst", "1.tar.zst", "2.tar.zst")
    ]
    for job in jobs:
        _, err = job.communicate(timeout=60)
        assert job.returncode == 0, err
    assert (tmp_path / "1.tar.zst").read_bytes() == (tmp_path / "2.tar.zst").read_bytes()


@pytest.mark.parametrize(
    ("change", "code", "says", "flag"),
    [
        ({"integrity": None}, 6, "no hash", "--allow-missing-hash"),
        ({"integrity": "sha1"}, 6, "weak hash", "--allow-weak-hash"),
        ({"resolved": "https://other.example/b.tgz"}, 6, "--allow-host other.example", ""),
        (
            {"resolved": "git+ssh://git@host.example/b.git#" + "0" * 40},
            *(6, "--allow-host host.example", ""),
        ),
        ({"integrity": "sha512-AAAA"}, 4, "package-lock.json:", ""),
    ],
)
def test_what_the_lockfile_may_not_ask_for(
    npm: NpmRegistry,
    tmp_path: Path,
    change: dict[str, str | None],
    code: int,
    says: str,
    flag: str,
) -> None:
    project = tmp_path / "project"
    data = npm.publish("b", "2.0.0")
    if change.get("integrity") == "sha1":
        change = {"integrity": sri(data, "sha1")}
    npm.lock(project, {"b": "2.0.0"}, b=change)
    cli = Cli(tmp_path)
    done = cli("pack", project)
    assert (done.code, says in done.err) == (code, True), done.err
    assert "b 2.0.0" in done.err or "b" in done.err
    assert not (tmp_path / "deps.tar.zst").exists()
    if flag:
        cli.ok("pack", project, flag, "b")
        (artifact,) = cli.ok("show", "deps.tar.zst", "--json").json["artifacts"]
        assert artifact["trust"] == ("first-use" if "missing" in flag else "lockfile")
        # What was let through once is not silently let through again.
        assert cli("pack", project).code == code


def test_no_secret_is_written_anywhere(npm: NpmRegistry, tmp_path: Path) -> None:
    canary = "hunter2canary"
    project = tmp_path / "project"
    data = npm.publish("b", "2.0.0")
    signed = npm.address("b", "2.0.0").replace("//", f"//user:{canary}@") + f"?sig={canary}"
    npm.lock(project, {"b": "2.0.0"}, b={"resolved": signed})
    host = npm.server.url.removeprefix("http:")
    (project / ".npmrc").write_text(f"registry={npm.server.url}/\n{host}/:_authToken=${{TOKEN}}\n")
    cli = Cli(tmp_path, environ={"TOKEN": canary})
    printed = [cli.ok("pack", project), cli.ok("show", "deps.tar.zst", "--files", "--json")]
    assert any(canary in v for v in npm.server.requests[0].headers.values())
    npm.packages.clear()
    npm.server.requests.clear()
    failing = Cli(tmp_path, "empty", environ={"TOKEN": canary})
    printed.append(failing("pack", project, "-o", "x.tar.zst", "--json"))
    assert printed[-1].code == 7
    for done in printed:
        assert canary not in done.out + done.err
    subprocess.run(
        [tool("zstd"), "-dqf", "deps.tar.zst", "-o", "deps.tar"], cwd=tmp_path, check=True
    )
    assert data in (tmp_path / "deps.tar").read_bytes()
    for path in (tmp_path / "deps.tar", *(tmp_path / "store").rglob("*")):
        assert not path.is_file() or canary.encode() not in path.read_bytes()


def test_no_code_is_run(npm: NpmRegistry, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    scripts = dict.fromkeys(("preinstall", "install", "postinstall"), f"touch {canary}")
    npm.publish("b", "2.0.0", scripts=scripts)
    npm.lock(tmp_path / "project", {"b": "2.0.0"}, b={"hasInstallScript": True})
    cli = Cli(tmp_path)
    cli.ok("pack", "project")
    cli.ok("unpack", "deps.tar.zst", "--prefix", "deps")
    assert not canary.exists()


def test_dry_run_asks_nothing(npm: NpmRegistry, project: Path, tmp_path: Path) -> None:
    done = Cli(tmp_path).ok("pack", project, "--dry-run", "--json").json
    assert [a["name"] for a in done["artifacts"]] == ["@s/c", "a", "b", "d"]
    assert {a["trust"] for a in done["artifacts"]} == {"lockfile"}
    assert not npm.server.requests and not (tmp_path / "deps.tar.zst").exists()


def test_a_dry_run_vouches_for_nobody(npm: NpmRegistry, tmp_path: Path) -> None:
    """What has no hash in the lockfile may get one from the index, which is not asked."""
    npm.lock(tmp_path / "bare", {"a": "1.0.0"}, a={"integrity": None})
    done = Cli(tmp_path).ok("pack", "bare", "--dry-run", "--json", "--allow-missing-hash", "a")
    assert [a["trust"] for a in done.json["artifacts"]] == [None]


def test_several_projects_in_one_bundle(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.lock(tmp_path / "mono/web", {"a": "1.0.0", "b": "2.0.0"})
    npm.lock(tmp_path / "mono/api", {"b": "2.0.0", "d": "4.0.0"})
    cli = Cli(tmp_path)
    packed = cli.ok("pack", "mono", "--recursive", "--json").json
    assert packed["downloaded"] == 3
    shown = cli.ok("show", "deps.tar.zst", "--json").json
    assert [lock["path"] for lock in shown["lockfiles"]] == [
        "api/package-lock.json",
        "web/package-lock.json",
    ]
    assert [a["name"] for a in shown["artifacts"]] == ["a", "b", "d"]


def test_a_tar_for_builders_without_zstd(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    compressed = cli.ok("pack", project, "--json").json
    plain = cli.ok("pack", project, "-o", "deps.tar", "--json").json
    assert plain["id"] == compressed["id"]
    listed = subprocess.run(
        ["tar", "-tf", "deps.tar"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert listed.stdout.splitlines()[:2] == ["vendorpack.json", "vendorpack.env"]
    assert cli.ok("pack", project, "-o", "deps.tar", "--json").json["reused"]
    cli.ok("verify", "deps.tar")


def test_the_output_is_an_ordinary_file(project: Path, tmp_path: Path) -> None:
    Cli(tmp_path, umask=0o027).ok("pack", project)
    assert stat.S_IMODE((tmp_path / "deps.tar.zst").stat().st_mode) == 0o640


def test_a_folder_that_is_not_there(project: Path, tmp_path: Path) -> None:
    done = Cli(tmp_path)("pack", project, "-o", "no/such/folder.tar.zst")
    assert done.code == 9 and "no/such" in done.err


def test_usage(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for args, code in (
        (["--nonsense"], 2),
        (["--npm-nonsense", "x"], 2),
        (["--target", "plan9-z80"], 2),
        (["--target", "linux-x64", "--all-targets"], 2),
        (["--format", "nonsense"], 2),
    ):
        done = cli("pack", project / "package-lock.json", *args)
        assert done.code == code and done.err.startswith("error: "), (args, done)


def test_the_choice_of_platforms(npm: NpmRegistry, tmp_path: Path) -> None:
    project = tmp_path / "project"
    npm.lock(
        project,
        {"a": "1.0.0", "mac": "1.0.0", "musl": "1.0.0"},
        mac={"optional": True, "os": ["darwin"]},
        musl={"optional": True, "os": ["linux"], "libc": ["musl"]},
    )
    cli = Cli(tmp_path)

    def names(*options: str) -> list[str]:
        plan = cli.ok("pack", project, "--dry-run", "--json", *options).json
        return [artifact["name"] for artifact in plan["artifacts"]]

    assert names("--target", "linux-x64") == ["a"]
    assert names("--target", "linux-x64", "--target", "darwin-arm64") == ["a", "mac"]
    assert names("--target", "linux-x64-musl") == ["a", "musl"]
    assert names("--all-targets") == ["a", "mac", "musl"]


def test_errors_in_json(npm: NpmRegistry, project: Path, tmp_path: Path) -> None:
    npm.packages.clear()
    done = Cli(tmp_path)("pack", project, "--json")
    assert done.code == 7
    error = json.loads(done.out)
    assert (
        error["exit_code"] == 7
        and "404" in error["error"]
        and "package-lock.json:" in error["where"]
    )


def test_two_runs_download_an_artifact_once(npm: NpmRegistry, tmp_path: Path) -> None:
    """Whoever comes later waits for what the other is about to have; also if that is killed."""
    cli = Cli(tmp_path)
    paths = [npm.path(name, "1.0.0") for name in "ab"]
    npm.lock(tmp_path / "one", {"a": "1.0.0", "b": "1.0.0", "c": "1.0.0"})
    npm.lock(tmp_path / "two", {"a": "1.0.0", "b": "1.0.0", "d": "1.0.0"})
    slow = {path: Reply(npm.packages[path], delay=1.5) for path in paths}
    npm.server.next = {path: [reply] for path, reply in slow.items()}
    runs = [cli.start("pack", name, "-o", f"{name}.tar.zst", "-q") for name in ("one", "two")]
    assert [run.communicate()[1] for run in runs] == ["", ""]
    assert sorted(npm.server.paths) == sorted([*paths, *(npm.path(n, "1.0.0") for n in "cd")])
    for name in ("one.tar.zst", "two.tar.zst"):
        (tmp_path / name).unlink()
    shutil.rmtree(tmp_path / "store")
    npm.server.requests.clear()
    npm.server.next = {paths[0]: [Reply(silent=True)]}
    stuck = cli.start("pack", "one", "-o", "one.tar.zst")
    while paths[0] not in npm.server.paths and stuck.poll() is None:
        time.sleep(0.01)
    waiting = cli.start("pack", "two", "-o", "two.tar.zst")
    while npm.path("d", "1.0.0") not in npm.server.paths and waiting.poll() is None:
        time.sleep(0.01)
    assert npm.server.paths.count(paths[0]) == 1
    stuck.kill()
    stuck.communicate()
    waiting.communicate()
    assert waiting.returncode == 0
    assert npm.server.paths.count(paths[0]) == 2


def test_an_artifact_that_is_not_asked_for_twice(npm: NpmRegistry, tmp_path: Path) -> None:
    """One address, locked with sha1 in one place and sha512 in another: both must hold."""
    project = tmp_path / "project"
    data = npm.publish("b", "2.0.0")
    lock = npm.lock(project, {"b": "2.0.0"})
    value = json.loads(lock.read_text())
    entry = {**value["packages"]["node_modules/b"], "integrity": sri(data, "sha1")}
    value["packages"]["node_modules/x/node_modules/b"] = entry
    lock.write_text(json.dumps(value, indent=2))
    cli = Cli(tmp_path)
    cli.ok("pack", project)
    assert len(npm.server.requests) == 1
    entry["integrity"] = sri(tarball("other", "1.0.0"), "sha1")
    lock.write_text(json.dumps(value, indent=2))
    assert Cli(tmp_path, "empty")("pack", project).code == 8
