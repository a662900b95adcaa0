"""One loopback world: a registry of every kind that rooms ask, git and ssh, and what goes wrong.

    with World(tmp_path) as world:
        site = world.site(tls=True)                      # https://127.0.0.1:PORT
        npm = site.mount("npm", NpmRegistry(), login=bearer("canary-token"))
        npm.publish("left-pad", "1.3.0")
        npm.lock(tmp_path / "app", {"left-pad": "1.3.0"})  # lockfile and .npmrc of a project
        Cli(tmp_path, environ=world.environ).ok("pack", tmp_path / "app")
        assert site.paths == ["/npm/left-pad/-/left-pad-1.3.0.tgz"]

- `World` holds the sites (each is a host of its own: another port), a certificate authority, and
  ends all of them with its context. `world.environ` makes clients trust the authority.
- `Site` is a web server with services below its paths; `login` is the Authorization header that
  all requests below a path must bring (`basic("user:password")`, `bearer("token")`).
  `site.requests` is what was asked. `site.next[path]` holds replies to give first, whatever is
  there: faults.
- Services, one module a kind: `npm.NpmRegistry`, `pypi.PypiIndex` (simple HTML and JSON),
  `cargo.CargoRegistry` (sparse index, `auth-required`, downloads on any host), `go.GoProxy`,
  `gems.GemSource` (compact index), `jsr.JsrRegistry`, `git.GitHost` (smart, without wants by id,
  dumb), `site.Redirect`, `site.Mirror`, and `containers.Registry` (OCI, a server of its own).
- `ssh.SshServer` is a real sshd that serves git repositories; `git.Repository` makes them.
- `server.Server` alone, without sites, says exactly what a test wants said, however wrong; a
  `proxy.Proxy` is a forward proxy.
- Makers of artifacts: `npm.tarball`, `distributions` (wheels, sdists), `crates`, `modules`,
  `gems.gem_file`. `pypi_memory` is an index without any server, for a room's own tests.

A new ecosystem is a module with a `Service`; tests mount it. Passwords and tokens here have
"canary" in them, so that a test can look for them where none may be.
"""

from tests.world.containers import Registry
from tests.world.proxy import Proxy
from tests.world.server import Handler, Reply, Request, Route, Server
from tests.world.site import Mirror, Redirect, Service, Site, basic, bearer
from tests.world.tls import Authority
from tests.world.world import World

__all__ = [
    "Authority",
    "Handler",
    "Mirror",
    "Proxy",
    "Redirect",
    "Registry",
    "Reply",
    "Request",
    "Route",
    "Server",
    "Service",
    "Site",
    "World",
    "basic",
    "bearer",
]
