"""A container registry on the loopback: the OCI distribution API in memory, and its faults.

    registry = Registry(auth="token")
    with registry.server:
        push("localhost:{registry.server.port}/team/deps")
    assert registry.tags["team/deps", "latest"] in registry.manifests

`auth` is what it wants: nothing, `basic`, or a `token` of its own token server, which knows the
login `USER` and the identity token `IDENTITY`, and lets anybody read if `public`. What is
stored may be changed at any time, to be served as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.world.server import Reply, Request, Server

INDEX = "application/vnd.oci.image.index.v1+json"
USER = "user:canary-password"
IDENTITY = "canary-identity"
BASIC = "Basic " + base64.b64encode(USER.encode()).decode()


@dataclass
class Registry:
    """Blobs and manifests by digest, tags by repository and name.

    referrers: whether it lists what refers to an image, as those of the specification 1.1 do;
    unknown: what others answer to that.
    token_uses: requests that a token is good for. redirect: where blobs are served from in its
    stead. blob: what is answered to a GET of a blob, from its bytes. uploads: what is answered
    to the next uploads, in their stead; images: to the next images. located: the start of the
    addresses to upload to. steals: what somebody else puts under a tag just after us; nothing
    if they delete it.
    """

    auth: str = ""
    referrers: bool = False
    public: bool = False
    token_uses: int = 1 << 30
    realm: str = ""
    redirect: str = ""
    located: str = ""
    blob: list[Reply] = field(default_factory=list)
    uploads: list[Reply] = field(default_factory=list)
    images: list[Reply] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    steals: dict[tuple[str, str], bytes] = field(default_factory=dict)
    unknown: Reply = field(default_factory=lambda: Reply(b"404 page not found", 404))
    scopes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = Server({}, default=self.answer)
        self._issued: dict[str, tuple[str, int]] = {}
        self._begun = 0

    @property
    def host(self) -> str:
        """What references begin with."""
        return f"localhost:{self.server.port}"

    @property
    def layer(self) -> str:
        """The digest of the largest blob."""
        return max(self.blobs, key=lambda digest: len(self.blobs[digest]))

    def answer(self, request: Request) -> Reply:
        """Answer any request."""
        path = request.path
        if path == "/token":
            return self._token(request)
        repository, _, rest = path.removeprefix("/v2/").partition("/blobs/")
        if not rest:
            repository, _, rest = path.removeprefix("/v2/").partition("/manifests/")
        if not rest:
            repository, _, rest = path.removeprefix("/v2/").partition("/referrers/")
        writing = request.method not in ("GET", "HEAD")
        refusal = self._refusal(request, repository, "push" if writing else "pull")
        if refusal is not None:
            return refusal
        if "/manifests/" in path:
            return self._manifest(request, repository, rest)
        if "/referrers/" in path:
            return self._referrers(rest)
        if rest.startswith("uploads/"):
            return self._upload(request)
        return self._blob(request, rest)

    def _manifest(self, request: Request, repository: str, name: str) -> Reply:
        if request.method == "PUT":
            if self.images:
                return self.images.pop(0)
            manifest = self.steals.get((repository, name), request.body)
            if not manifest:
                return Reply(status=201)
            digest = _digest(manifest)
            self.manifests[digest] = manifest
            self.tags[repository, name] = digest
            subject = json.loads(manifest).get("subject") if self.referrers else None
            return Reply(status=201, headers={"OCI-Subject": subject["digest"]} if subject else {})
        digest = self.tags.get((repository, name), name)
        data = self.manifests.get(digest)
        if data is None:
            return refusal(404, "MANIFEST_UNKNOWN")
        return Reply(data, headers={"Content-Type": json.loads(data)["mediaType"]})

    def _referrers(self, subject: str) -> Reply:
        if not self.referrers:
            return self.unknown
        rows = []
        for digest, data in self.manifests.items():
            manifest = json.loads(data)
            if manifest.get("subject", {}).get("digest") == subject:
                row = {"mediaType": manifest["mediaType"], "digest": digest, "size": len(data)}
                rows.append({**row, "artifactType": manifest["artifactType"]})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}
        return Reply(json.dumps(index).encode(), headers={"Content-Type": INDEX})

    def _upload(self, request: Request) -> Reply:
        if request.method == "POST":
            self._begun += 1
            at = f"{self.located}{request.path}{self._begun}?state=canary-state"
            return Reply(status=202, headers={"Location": at})
        if self.uploads:
            return self.uploads.pop(0)
        digest = parse_qs(urlsplit(request.target).query)["digest"][0]
        if digest != _digest(request.body):
            return refusal(400, "DIGEST_INVALID")
        self.blobs[digest] = request.body
        return Reply(status=201)

    def _blob(self, request: Request, digest: str) -> Reply:
        if digest not in self.blobs:
            return refusal(404, "BLOB_UNKNOWN")
        if request.method == "GET" and self.blob:
            return self.blob.pop(0)
        if request.method == "GET" and self.redirect:
            return Reply(status=307, headers={"Location": f"{self.redirect}{digest}"})
        return Reply(self.blobs[digest], headers={"ETag": f'"{digest}"'})

    def _refusal(self, request: Request, repository: str, action: str) -> Reply | None:
        sent = request.headers.get("authorization", "")
        if not self.auth or (self.auth == "basic" and sent == BASIC):
            return None
        if self.auth == "basic":
            return refusal(401, "UNAUTHORIZED", challenge='Basic realm="registry"')
        token = sent.removeprefix("Bearer ")
        scope, left = self._issued.get(token, ("", 0))
        granted, _, actions = scope.removeprefix("repository:").rpartition(":")
        if left and granted == repository and action in actions.split(","):
            self._issued[token] = (scope, left - 1)
            return None
        realm = self.realm or f"{self.server.url}/token"
        return refusal(
            401, "UNAUTHORIZED", challenge=f'Bearer realm="{realm}",service="registry.example"'
        )

    def _token(self, request: Request) -> Reply:
        query = parse_qs(request.body.decode() or urlsplit(request.target).query)
        scope = query["scope"][0]
        self.scopes.append(scope)
        known = request.headers.get("authorization") == BASIC
        if request.method == "POST":
            known = query["refresh_token"] == [IDENTITY]
        if query["service"] != ["registry.example"]:
            return refusal(400, "BAD_SERVICE")
        if not known and not (self.public and scope.endswith(":pull")):
            return refusal(401, "UNAUTHORIZED")
        token = f"canary-token-{len(self._issued)}"
        self._issued[token] = (scope, self.token_uses)
        name = "access_token" if request.method == "POST" else "token"
        return Reply(json.dumps({name: token}).encode())


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def refusal(status: int, *codes: str, challenge: str = "") -> Reply:
    """What a registry answers when it does not do what it was asked for."""
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    body = {"errors": [{"code": code, "message": "canary-message"} for code in codes]}
    return Reply(json.dumps(body).encode(), status, headers)
