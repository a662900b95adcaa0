"""Where each recipe lays its files, compared with what the clients' own functions say."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path, PurePosixPath

import pytest

from tests.formats.extras.files import ELECTRON, FILES, PREBUILD, PROGRAM, TREE
from tests.memory import MemoryWorkshop
from tests.world.files import artifacts_lock, tar_gz, zip_of
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats.extras import FORMAT
from vendorpack.formats.extras.recipes import RECIPES, find
from vendorpack.model import Entry, Options, Packed
from vendorpack.project import Host, Project

DRIVER = "https://x.example/1.2.3/linux64/chromedriver-linux64.zip"
CFT = "https://cdn.playwright.dev/builds/cft/159.0.1/linux64/chrome-linux64.zip"


def lay(
    folder: Path, files: dict[str, bytes], *, more: str = ""
) -> tuple[dict[str, Entry], MemoryWorkshop]:
    sums = {url: hashlib.sha256(data).hexdigest() for url, data in files.items()}
    (folder / "artifacts.lock.yaml").write_text(artifacts_lock(sums) + more)
    project = Project(folder, PurePosixPath("artifacts.lock.yaml"), Host({}, folder, "linux"))
    workshop = MemoryWorkshop()
    read = FORMAT.read(project, Options()).artifacts
    packed = [Packed(one, workshop.add(files[one.url or ""])) for one in read]
    return {entry.path: entry for entry in FORMAT.layout(packed, workshop)}, workshop


def test_the_tree(tmp_path: Path) -> None:
    tree, _ = lay(tmp_path, FILES)
    assert {path: entry.mode for path, entry in sorted(tree.items())} == TREE


def test_every_recipe_is_in_the_sample() -> None:
    found = [find(url) for url in FILES]
    assert {one[0].name for one in found if one} == {recipe.name for recipe in RECIPES}


def test_a_mirror_is_laid_out_under_both_addresses(tmp_path: Path) -> None:
    """The target may ask by either."""
    mirrored = PREBUILD.replace("github.com", "mirror.example/github")
    electron = "https://mirror.example/electron/36.0.0/electron-v36.0.0-linux-x64.zip"
    tree, _ = lay(tmp_path, {mirrored: b"a", electron: b"b"})
    public, _ = lay(tmp_path, {PREBUILD: b"a", ELECTRON: b"b"})
    assert len(public) == 2 and len(tree) == 4
    assert set(public) < set(tree)


def test_large_members_pass_in_chunks(tmp_path: Path) -> None:
    data = PROGRAM * 100_000
    url = "https://cdn.cypress.io/desktop/1.0.0/linux-x64/cypress.zip"
    tree, workshop = lay(tmp_path, {url: zip_of({"Cypress/a": data, "Cypress/b": PROGRAM})})
    contents = {path.rpartition("/")[2]: workshop.content(entry) for path, entry in tree.items()}
    assert contents == {"a": data, "b": PROGRAM}


def test_a_browser_whose_address_names_no_revision(tmp_path: Path) -> None:
    files = {CFT: zip_of({"chrome-linux64/chrome": PROGRAM})}
    tree, _ = lay(tmp_path, files, more="    filename: chromium-headless-shell-1255/chrome.zip\n")
    assert sorted(tree) == [
        "extras/playwright/chromium_headless_shell-1255/INSTALLATION_COMPLETE",
        "extras/playwright/chromium_headless_shell-1255/chrome-linux64/chrome",
    ]
    with pytest.raises(LockfileError, match="which of Playwright's browsers") as caught:
        lay(tmp_path, files)
    assert caught.value.where == "artifacts.lock.yaml:5"


@pytest.mark.parametrize(
    ("url", "data", "what"),
    [
        (DRIVER, zip_of({"chromedriver-linux64/chromedriver": b"x"}, mode=0o120777), "is a link"),
        (DRIVER, b"no zip", "not opened"),
        ("https://x.example/b6.0/ffmpeg-linux-x64.gz", b"no gzip", "cannot be unpacked"),
        (
            "https://x.example/b6.0/ffmpeg-linux-x64.gz",
            gzip.compress(PROGRAM, mtime=0)[:-6],
            "cut short",
        ),
        ("https://x.example/node-v1.2.3-headers.tar.gz", b"no tar", "cannot be read"),
    ],
)
def test_archives_that_are_refused(url: str, data: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=what):
        lay(tmp_path, {url: data})


def test_two_files_for_one_place(tmp_path: Path) -> None:
    files = {
        f"https://x.example/{tag}/ffmpeg-linux-{cpu}.gz": gzip.compress(cpu.encode(), mtime=0)
        for tag, cpu in (("b6.0", "x64"), ("b6.1", "arm64"))
    }
    with pytest.raises(UnsupportedError, match="both belong to extras/ffmpeg/ffmpeg") as caught:
        lay(tmp_path, files)
    assert caught.value.where == "artifacts.lock.yaml:7 and artifacts.lock.yaml:5"


def test_headers_of_several_versions_lie_side_by_side(tmp_path: Path) -> None:
    files = {
        f"https://x.example/node-v{v}-headers.tar.gz": tar_gz({f"n/include/node/{v}.h": b""})
        for v in ("20.1.0", "22.1.0")
    }
    tree, _ = lay(tmp_path, files)
    assert len([path for path in tree if path.endswith("/installVersion")]) == 2


def test_a_request_in_vain_is_explained() -> None:
    room = FORMAT
    headers = "https://nodejs.org/download/release/v24.1.0/node-v24.1.0-headers.tar.gz"
    assert "extras --write" in (room.explain_request(headers) or "")
    addon = "https://x.example/o/r/releases/download/v5.1.1/a_lib-v5.1.1-napi-v3-linux-x64"
    assert "extras --write --prebuilt" in (room.explain_request(f"{addon}.tar.gz") or "")
    cypress = "https://x.example/desktop/14.5.4/linux-x64/cypress.zip"
    assert (room.explain_request(cypress) or "").startswith("write its download_url")
    assert "build_from_source" in (room.explain_request(f"{addon}-glibc.tar.gz") or "")
    assert room.explain_request("https://x.example/else.tar.gz") is None
