"""Files at addresses, as release pages and download hosts have them, and archives to put there."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping

from tests.world.server import Reply, Request
from tests.world.site import Service

TIME = (2020, 1, 1, 0, 0, 0)


class Files(Service):
    """Whatever `at` has, by its path below the service.

    wants: a header that every request must bring, name (lower case) and value.
    """

    def __init__(self) -> None:
        self.at: dict[str, bytes] = {}
        self.wants: tuple[str, str] | None = None

    def answer(self, path: str, request: Request) -> Reply:
        if self.wants is not None and request.headers.get(self.wants[0]) != self.wants[1]:
            return Reply(b"who are you?", 401)
        data = self.at.get(path)
        return Reply(b"not found", 404) if data is None else Reply(data)

    def put(self, path: str, data: bytes) -> str:
        """Add a file; its address."""
        self.at[path] = data
        return f"{self.url}/{path}"


def tar_gz(files: Mapping[str, bytes], *, mode: int = 0o644) -> bytes:
    """A .tar.gz of these files, always the same."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: Mapping[str, bytes], *, mode: int = 0o100755) -> bytes:
    """A zip of these files, programs all of them, always the same."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, TIME)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def artifacts_lock(
    files: Mapping[str, str], names: Mapping[str, str] | None = None, *, version: str = "1.0"
) -> str:
    """artifacts.lock.yaml of addresses and their sha256. names: of files, by address."""
    lines = ["---", "metadata:", f'  version: "{version}"', "artifacts:"]
    for url, sha256 in files.items():
        lines += [f"  - download_url: {url}", f"    checksum: sha256:{sha256}"]
        lines += [f"    filename: {names[url]}"] if names and url in names else []
    return "\n".join([*lines, ""])
