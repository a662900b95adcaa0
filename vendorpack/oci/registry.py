"""A repository of a registry: the OCI distribution API, as far as bundles need it.

Nothing that comes from here is believed: a manifest has the digest of its own bytes, and
whoever downloads a blob compares it with the digest that the manifest has for it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from vendorpack.errors import FetchError, IntegrityError
from vendorpack.fetch.faults import Fault
from vendorpack.fetch.http import Download, Response, Upload
from vendorpack.model import Access, Credential
from vendorpack.oci.image import INDEX_TYPE, MANIFEST_TYPE, MAX_MANIFEST, Descriptor, digest_of
from vendorpack.oci.logins import Sought
from vendorpack.oci.reference import Reference
from vendorpack.oci.tokens import Connect, fetch_token, parse_challenge
from vendorpack.policy import Policy
from vendorpack.redact import redact_url

T = TypeVar("T")

_CHUNK: Final = 256 << 10
_CODE = re.compile(r"[A-Z_]{1,40}")
_MAX_CODES: Final = 4
_BLOB_UNKNOWN: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
_ANY_MANIFEST: Final = f"{MANIFEST_TYPE}, {INDEX_TYPE}, */*;q=0.1"


class _DeniedError(Exception):
    """The registry answered 401 or 403."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Repository:
    """A conversation with one repository; an asynchronous context manager.

    Logs in when the registry asks for it, and again when a token has run out. Every method
    raises `FetchError`, and `PolicyError` where the registry sends us where we may not go.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        connect: Connect,
        find_login: Callable[[], Sought],
        writing: bool = False,
    ) -> None:
        """`find_login` is called once, if the registry asks for a login at all."""
        self.reference = reference
        self._connect = connect
        self._find_login = find_login
        self._actions = "pull,push" if writing else "pull"
        self._policy = Policy(origins=frozenset({reference.origin}))
        # No proxy is asked for what is on this machine, as in Docker.
        self._proxies = {"http": "", "https": ""} if reference.is_local else {}
        self._client = connect(Access(proxies=self._proxies), self._policy)
        self._sought: Sought | None = None

    async def __aenter__(self) -> Repository:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def manifest(self, name: str) -> bytes | None:
        """The manifest under a tag or digest; None if there is none.

        Of a digest, the bytes have it.
        """
        url = f"{self.reference.base}/manifests/{name}"
        headers = {"Accept": _ANY_MANIFEST}
        response = await self._ask("GET", url, headers, accepted=[200, 404], max_size=MAX_MANIFEST)
        if response.status == 404:
            return None
        if name.startswith("sha256:") and digest_of(response.body) != name:
            raise FetchError(
                "the registry sends another manifest than was asked for",
                where=f"{redact_url(url)}\nit has {digest_of(response.body)}",
                fix="Do not use it: it was changed in the registry, or on its way here.",
            )
        return response.body

    async def put_manifest(
        self, name: str, manifest: bytes, media_type: str = MANIFEST_TYPE
    ) -> bool:
        """Store a manifest, and point a tag at it if `name` is one.

        Returns whether the registry will list it among those that refer to its subject.

        Docker's own registry (2.8) writes the file by which a repository has a blob anew for
        each upload of the blob, and does not know the blob while that file is empty. So while
        somebody else pushes the same, a manifest may be refused a moment after its blobs were
        seen: it is sent again.
        """
        url = f"{self.reference.base}/manifests/{name}"
        upload = Upload(len(manifest), _bytes(manifest), media_type)

        async def attempt() -> Response:
            response = await self._exchange(
                "PUT", url, accepted=[200, 201, 202, 400, 404], upload=upload
            )
            if response.status < 400:
                return response
            codes = _error_codes(response.body)
            unknown = not _BLOB_UNKNOWN.isdisjoint(codes)
            raise Fault(
                f"the registry refuses the image: {_answer(response)}",
                where=redact_url(response.url),
                fix="It has lost a part that it had before: push again." if unknown else None,
                status=response.status,
                again=unknown,
            )

        return "OCI-Subject" in (await self._persist(url, "", attempt)).headers

    async def referrers(self, digest: str) -> bytes | None:
        """The index of what refers to a manifest; None if the registry has no such list."""
        url = f"{self.reference.base}/referrers/{digest}"
        headers = {"Accept": INDEX_TYPE}
        # What a registry that has never heard of referrers answers is its own affair.
        answer = await self._ask(
            "GET", url, headers, accepted=[200, 400, 404, 405, 406], max_size=MAX_MANIFEST
        )
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return answer.body if answer.status == 200 and kind == INDEX_TYPE else None

    async def blob(self, blob: Descriptor, max_size: int) -> bytes:
        """A small blob. Raises `IntegrityError` if it has not its digest."""
        url = f"{self.reference.base}/blobs/{blob.digest}"
        body = (await self._ask("GET", url, accepted=[200], max_size=max_size)).body
        if digest_of(body) != blob.digest:
            raise IntegrityError(
                "the registry sends other bytes than its manifest names",
                where=f"{redact_url(url)}\nthey have {digest_of(body)}",
                fix="Do not use it: it was changed in the registry, or on its way here.",
            )
        return body

    async def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""
        url = f"{self.reference.base}/blobs/{digest}"
        return (await self._ask("HEAD", url, accepted=[200, 404])).status == 200

    async def put_blob(self, blob: Descriptor, source: bytes | Path, label: str) -> None:
        """Upload a blob. A file is sent as it is read, and from its start after a failure."""
        url = f"{self.reference.base}/blobs/uploads/"
        content = _bytes(source) if isinstance(source, bytes) else _file(source, blob.size)
        upload = Upload(blob.size, content)

        async def attempt() -> Response:
            begun = await self._exchange("POST", url, accepted=[201, 202])
            location = begun.headers.get("Location")
            if begun.status == 201:
                return begun
            if location is None:
                raise FetchError("the registry does not say where to upload", where=redact_url(url))
            joint = "&" if "?" in location else "?"
            return await self._exchange(
                "PUT",
                f"{location}{joint}digest={blob.digest}",
                accepted=[201, 204],
                upload=upload,
                named_by=begun.url,
            )

        await self._persist(url, label, attempt)

    async def download(self, blob: Descriptor, part: Path, label: str) -> Download:
        """Fill `part` with a blob, going on with what is there. Nothing is verified."""
        url = f"{self.reference.base}/blobs/{blob.digest}"

        async def attempt() -> Download:
            return await self._client.download(
                [url], part, algorithms=["sha256"], size=blob.size, max_size=blob.size, label=label
            )

        try:
            return await attempt()
        except FetchError as error:
            if error.status != 401:
                raise
        # The token ran out, or was never needed until now: asking anything else gets a new one.
        if not await self.has_blob(blob.digest):
            raise FetchError(f"{label}: the registry does not have it", where=url, status=404)
        return await attempt()

    # -- requests --------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        accepted: Iterable[int],
        upload: Upload | None = None,
        max_size: int = 1 << 20,
    ) -> Response:
        async def attempt() -> Response:
            return await self._exchange(
                method, url, headers, accepted=accepted, upload=upload, max_size=max_size
            )

        return await self._persist(url, "", attempt)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        accepted: Iterable[int],
        upload: Upload | None = None,
        named_by: str | None = None,
        max_size: int = 1 << 20,
    ) -> Response:
        response = await self._client.exchange(
            method,
            url,
            headers,
            accepted=[*accepted, 401, 403],
            upload=upload,
            named_by=named_by,
            max_size=max_size,
        )
        if response.status in (401, 403):
            raise _DeniedError(response)
        return response

    async def _persist(self, url: str, label: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt, and once more with a login if the registry asks for one."""
        try:
            return await self._client.persist(url, label, attempt)
        except _DeniedError as denied:
            if not await self._log_in(denied.response):
                raise self._refused(denied.response) from None
        try:
            return await self._client.persist(url, label, attempt)
        except _DeniedError as denied:
            raise self._refused(denied.response) from None

    async def _log_in(self, response: Response) -> bool:
        """Get what the registry asks for, and use it from now on. False if there is no way."""
        challenge = parse_challenge(response.headers)
        if response.status != 401 or challenge is None:
            return False
        if self._sought is None:
            self._sought = await asyncio.to_thread(self._find_login)
        login = self._sought.login
        if login is not None and login.bearer is not None:
            header = f"Bearer {login.bearer}"
        elif challenge.realm is None:
            if login is None or login.basic is None:
                return False
            header = login.basic
        else:
            scope = f"repository:{self.reference.repository}:{self._actions}"
            try:
                token = await fetch_token(
                    challenge, scope, login, self.reference.origin, self._connect
                )
            except FetchError as error:
                if error.status in (400, 401, 403):
                    error.fix = self._how_to_log_in()
                raise
            header = f"Bearer {token}"
        credentials = (Credential(self.reference.origin, header),)
        access = Access(credentials=credentials, proxies=self._proxies)
        await self._client.__aexit__(None, None, None)
        self._client = await self._connect(access, self._policy).__aenter__()
        return True

    def _refused(self, response: Response) -> FetchError:
        return FetchError(
            f"the registry refuses: {_answer(response)}",
            where=redact_url(response.url),
            fix=self._how_to_log_in(),
            status=response.status,
        )

    def _how_to_log_in(self) -> str:
        sought = self._sought.explain() if self._sought is not None else "No login was asked for."
        return f"{sought}\nLog in with `docker login {self.reference.host}` or the like."


def _answer(response: Response) -> str:
    """The status and the codes of an answer, such as `403 DENIED`."""
    return " ".join([str(response.status), *_error_codes(response.body)])


def _error_codes(body: bytes) -> list[str]:
    """The codes of a registry's errors; what it says beyond them is its own."""
    try:
        codes = [error["code"] for error in json.loads(body)["errors"][:_MAX_CODES]]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
    return [code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)]


def _bytes(data: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def content() -> AsyncIterator[bytes]:
        yield data

    return content


def _file(path: Path, size: int) -> Callable[[], AsyncIterator[bytes]]:
    """The first `size` bytes: a file that grew meanwhile must not break the protocol."""

    async def content() -> AsyncIterator[bytes]:
        left = size
        with path.open("rb", buffering=0) as file:
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk

    return content
