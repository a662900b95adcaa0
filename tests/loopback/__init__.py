"""A web server and a proxy on 127.0.0.1 that misbehave on request, for tests and benchmarks."""

from tests.loopback.proxy import Proxy
from tests.loopback.registry import Registry
from tests.loopback.server import Handler, Reply, Request, Route, Server
from tests.loopback.tls import Authority

__all__ = ["Authority", "Handler", "Proxy", "Registry", "Reply", "Request", "Route", "Server"]
