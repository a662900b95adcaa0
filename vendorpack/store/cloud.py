"""A team's store in a bucket, through `obstore`: the extra `vendorpack[store]`.

Credentials, endpoint and region come from the environment, as each service's own tools have
them (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS,
AZURE_STORAGE_ACCOUNT_NAME …), never from the address.
"""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from vendorpack.errors import FetchError, UsageError
from vendorpack.files.disk import storage_error
from vendorpack.redact import redact_text, redact_url
from vendorpack.store.objects import Listed

SCHEMES: Final = ("s3", "gs", "az")

_SINGLE: Final = 256 << 20
"""Bytes up to which an object is sent in one request, which alone can be made conditional."""
_CHUNK: Final = 1 << 20
_RETRIES: Final = {"max_retries": 4, "retry_timeout": datetime.timedelta(seconds=60)}


class CloudObjects:
    """Objects of a bucket, below the address's path; see `Objects`."""

    def __init__(self, url: str) -> None:
        """Raises `UsageError` if obstore is missing or the address cannot be used."""
        self.url = redact_url(url).rstrip("/")
        try:
            # By name, as it is an extra: without it everything else works.
            self._obstore: Any = importlib.import_module("obstore")
            stores: Any = importlib.import_module("obstore.store")
        except ImportError:
            raise UsageError(
                "a store in a bucket needs the package obstore",
                where=self.url,
                fix="pip install obstore (the extra `store` brings it)",
            ) from None
        self._errors: Any = importlib.import_module("obstore.exceptions")
        try:
            self._store = stores.from_url(url, retry_config=_RETRIES)
        except (self._errors.BaseError, ValueError) as error:
            raise UsageError(
                f"the store cannot be used: {_first_line(error)}", where=self.url
            ) from None

    def size(self, name: str) -> int | None:
        """Bytes of an object; None if there is none."""
        try:
            return int(self._obstore.head(self._store, name)["size"])
        except FileNotFoundError:
            return None
        except self._errors.BaseError as error:
            raise self._fault(error, name) from None

    def read(self, name: str, size: int, offset: int = 0) -> bytes | None:
        """At most `size` bytes of an object; None if there is none."""
        try:
            if offset:
                return bytes(self._obstore.get_range(self._store, name, start=offset, length=size))
            # No range here: of an empty object there is none.
            data = bytearray()
            for chunk in self._obstore.get(self._store, name).stream(min_chunk_size=_CHUNK):
                data += chunk
                if len(data) >= size:
                    break
            return bytes(data[:size])
        except FileNotFoundError:
            return None
        except self._errors.BaseError as error:
            raise self._fault(error, name) from None

    def names(self, folder: str, limit: int) -> list[str]:
        """The names of objects right below a folder (`a/b/`), sorted; at most `limit`."""
        try:
            pages = self._obstore.list(self._store, prefix=folder, chunk_size=limit)
            return sorted(str(one["path"]) for page in pages for one in page)[:limit]
        except FileNotFoundError:
            return []
        except self._errors.BaseError as error:
            raise self._fault(error, folder) from None

    def save(self, name: str, path: Path, limit: int) -> bool:
        """Write an object to `path`; False if there is none."""
        rest = limit + 1
        try:
            chunks = self._obstore.get(self._store, name).stream(min_chunk_size=_CHUNK)
            with path.open("wb") as out:
                for chunk in chunks:
                    rest -= out.write(memoryview(chunk)[:rest])
                    if not rest:
                        break
        except FileNotFoundError:
            return False
        except self._errors.BaseError as error:
            raise self._fault(error, name) from None
        except OSError as error:
            raise storage_error(error, path) from None
        return True

    def listed(self, folder: str) -> Iterator[Listed]:
        """All objects below a folder (`a/`), in any order."""
        try:
            for page in self._obstore.list(self._store, prefix=folder):
                for one in page:
                    modified = one["last_modified"].timestamp()
                    yield Listed(str(one["path"]), int(one["size"]), modified)
        except FileNotFoundError:
            return
        except self._errors.BaseError as error:
            raise self._fault(error, folder) from None

    def remove(self, name: str) -> None:
        """Take an object away; it is no fault if it is gone."""
        try:
            self._obstore.delete(self._store, name)
        except FileNotFoundError:
            return
        except self._errors.BaseError as error:
            raise self._fault(error, name) from None

    def create(self, name: str, content: BinaryIO) -> bool:
        """Write an object unless it is there; False if it is.

        A very large one is sent in parts, which only the check before it keeps from taking
        the place of another that comes at the same moment: the same bytes, if all is well.
        """
        size = content.seek(0, 2)
        content.seek(0)
        try:
            if size <= _SINGLE:
                self._obstore.put(self._store, name, content.read(), mode="create")
            elif self.size(name) is not None:
                return False
            else:
                self._obstore.put(self._store, name, content, use_multipart=True)
        except self._errors.AlreadyExistsError:
            return False
        except (self._errors.BaseError, FileNotFoundError) as error:  # no such bucket
            raise self._fault(error, name) from None
        return True

    def _fault(self, error: Exception, name: str) -> FetchError:
        return FetchError(
            f"the team's store is out of order: {_first_line(error)}", where=f"{self.url}/{name}"
        )


def _first_line(error: Exception) -> str:
    """What obstore says, without its debug output and without secrets."""
    return redact_text(str(error).partition("\n")[0][:300])
