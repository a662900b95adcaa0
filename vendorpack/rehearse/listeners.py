"""The other end of everything: names get an address, connections a refusal, the ledger a line.

- Names: every name gets an IPv4 address of its own (198.18.0.0/15, which no network uses: RFC
  2544), and no IPv6 one, whoever is asked.
- Ports 80 and 443, on every address: the request is read for its address and answered with 403,
  which no client tries again. TLS is spoken if there is an authority, else read for the name.
- Ports 22 and 9418 (ssh, git): the connection alone.
- All others are refused by the kernel, and seen as the packets that tried.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

from vendorpack.rehearse.certificates import Authority
from vendorpack.rehearse.ledger import Ledger, owner

_SCHEMES: Final = {80: "http", 443: "https", 22: "ssh", 9418: "git"}
_FIRST_ADDRESS: Final = int(ipaddress.IPv4Address("198.18.0.1"))
_TIMEOUT: Final = 5.0
"""Seconds that a client has to say what it wants."""
_SETTLING: Final = 0.2
"""Seconds until our threads have seen what the kernel took for them."""
_MAX_HEAD: Final = 64 << 10
_BODY: Final = b"This is a rehearsal without a network.\n"
_REFUSAL: Final = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_TYPE_A: Final = 1
_ANY_PROTOCOL: Final = 3
_SYN: Final = 0x02
_SYN_OR_ACK: Final = 0x12


class Listeners:
    """All of them, in threads that end with the process.

    host_name: this machine's own name, which is no other one's.
    """

    def __init__(self, ledger: Ledger, authority: Authority | None, host_name: str) -> None:
        self._ledger = ledger
        self._authority = authority
        self._host_name = host_name.lower()
        self._names: dict[str, str] = {}  # name -> address
        self._lock = threading.Lock()
        self._hearing: list[threading.Thread] = []

    def start(self) -> None:
        """Listen, from before this returns. Raises `OSError`."""
        names = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        names.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        names.bind(("::", 53))
        # A reply must come from the address that was asked.
        names.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        _in_background(lambda: self._answer_names(names))
        for port in _SCHEMES:
            server = socket.create_server(
                ("::", port), family=socket.AF_INET6, backlog=256, dualstack_ipv6=True
            )
            _in_background(lambda server=server: self._accept(server))  # type: ignore[misc]
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ANY_PROTOCOL))
        packets.bind(("lo", 0))
        _in_background(lambda: self._watch(packets))

    def settle(self) -> None:
        """Wait until the ledger has all that the command asked for, which may have ended first."""
        time.sleep(_SETTLING)
        for thread in list(self._hearing):
            thread.join(_TIMEOUT)

    # -- names

    def _answer_names(self, names: socket.socket) -> None:
        while True:
            query, ancillary, _, peer = names.recvmsg(4096, 256)
            with contextlib.suppress(IndexError, struct.error, OSError, UnicodeError):
                answer = self._answer(query, peer[1])
                names.sendmsg([answer], ancillary, 0, peer)

    def _answer(self, query: bytes, port: int) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        (kind,) = struct.unpack_from(">H", query, at + 1)
        record = b""
        if kind == _TYPE_A:
            address = socket.inet_aton(self._address_of(name, port))
            record = b"\xc0\x0c" + struct.pack(">HHIH", _TYPE_A, 1, 1, 4) + address
        head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if record else 0, 0, 0)
        return head + query[12 : at + 5] + record

    def _address_of(self, name: str, port: int) -> str:
        if name in (self._host_name, "localhost"):
            return "127.0.0.1"
        self._ledger.asked(name, owner("udp", port))
        with self._lock:
            number = _FIRST_ADDRESS + len(self._names)
            return self._names.setdefault(name, str(ipaddress.IPv4Address(number)))

    def _name_of(self, address: str) -> str:
        with self._lock:
            return next((name for name, own in self._names.items() if own == address), address)

    # -- connections

    def _accept(self, server: socket.socket) -> None:
        while True:
            connection, peer = server.accept()
            hearing = _in_background(lambda c=connection, p=peer: self._hear(c, p[1]))  # type: ignore[misc]
            with self._lock:
                self._hearing = [thread for thread in self._hearing if thread.is_alive()]
                self._hearing.append(hearing)

    def _hear(self, connection: socket.socket, peer_port: int) -> None:
        address, port = connection.getsockname()[:2]
        ip = ipaddress.ip_address(address)
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if ip.is_loopback:
            connection.close()  # meant for this machine, where nobody listens
            return
        name, by = self._name_of(str(ip)), owner("tcp", peer_port)
        scheme = _SCHEMES[port]
        connection.settimeout(_TIMEOUT)
        with contextlib.suppress(OSError), connection:
            request, host = b"", name
            if scheme == "http":
                request = _request_head(connection)
            elif scheme == "https":
                host = server_name(connection.recv(_MAX_HEAD, socket.MSG_PEEK)) or name
                request = self._speak_tls(connection, host)
            host, target = _asked_for(request, host)
            self._ledger.connected(name, f"{scheme}://{_in_url(host)}{target}", by)

    def _speak_tls(self, connection: socket.socket, name: str) -> bytes:
        if self._authority is None:
            return b""
        with contextlib.suppress(OSError):  # of a client that trusts nobody of ours
            context = self._authority.context(name)
            with context.wrap_socket(connection, server_side=True) as speaking:
                return _request_head(speaking)
        return b""

    # -- what nobody listens to

    def _watch(self, packets: socket.socket) -> None:
        while True:
            packet, (_, _, kind, _, _) = packets.recvfrom(256)
            if kind != socket.PACKET_HOST:
                continue  # each is seen on its way out, too
            with contextlib.suppress(IndexError, struct.error, ValueError):
                self._note(packet)

    def _note(self, packet: bytes) -> None:
        if packet[0] >> 4 == 4:
            protocol, to, payload = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
        else:
            protocol, to, payload = packet[6], packet[24:40], packet[40:]
        address = ipaddress.ip_address(to)
        if address.is_loopback or address.is_multicast:
            return
        source, port = struct.unpack_from(">HH", payload)
        if protocol == socket.IPPROTO_TCP:
            if payload[13] & _SYN_OR_ACK != _SYN or port in _SCHEMES:
                return
            word = "tcp"
        elif protocol == socket.IPPROTO_UDP:
            if 53 in (port, source):
                return
            word = "udp"
        else:
            return
        name = self._name_of(str(address))
        self._ledger.connected(name, f"{word}://{_in_url(name)}:{port}", owner(word, source))


def _in_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _request_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD:
        more = connection.recv(_MAX_HEAD)
        if not more:
            break
        head += more
    connection.sendall(_REFUSAL)
    return head


def _asked_for(head: bytes, name: str) -> tuple[str, str]:
    """The host and what is behind it in the address, of a request; the name, if it is none."""
    first, _, rest = head.partition(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[1].startswith(b"/"):
        return name, ""
    for line in rest.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"host" and value.strip():
            name = value.strip().decode("ascii", "replace").partition(":")[0]
    return name, words[1].decode("ascii", "replace")


def _in_url(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def server_name(hello: bytes) -> str | None:
    """The name in a TLS ClientHello (RFC 6066); None if there is none, or it is no such thing."""
    try:
        at = 43  # record header, handshake header, version, random
        at += 1 + hello[at]
        at += 2 + struct.unpack_from(">H", hello, at)[0]
        at += 1 + hello[at]
        at += 2
        while at < len(hello):
            kind, size = struct.unpack_from(">HH", hello, at)
            if kind == 0:
                (length,) = struct.unpack_from(">H", hello, at + 7)
                return hello[at + 9 : at + 9 + length].decode("ascii") or None
            at += 4 + size
    except (IndexError, struct.error, UnicodeDecodeError):
        pass
    return None
