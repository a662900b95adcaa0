"""A network and mounts of this process's own, in which every address leads to the loopback.

Without being root it takes a user namespace too, in which the user is who they are. The loopback is
brought up, and two routes make every IPv4 and IPv6 address there is a local one (as
`ip route add local 0.0.0.0/0 dev lo` does), so that whatever a program tries to connect to, it
meets our listeners. The system's resolver configuration is covered by one that asks us.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vendorpack.errors import StoreError, UsageError

_NEW_USER: Final = 0x10000000
_NEW_NETWORK: Final = 0x40000000
_NEW_MOUNTS: Final = 0x20000
_BIND: Final = 0x1000
_RECURSIVE: Final = 0x4000
_PRIVATE: Final = 1 << 18
_SET_CHILD_SUBREAPER: Final = 36
"""linux/sched.h, linux/mount.h, linux/prctl.h."""

_SET_FLAGS: Final = 0x8914
_UP_AND_RUNNING: Final = 0x41
"""linux/sockios.h, linux/if.h."""

_NEW_ROUTE: Final = 24
_REQUEST_ACK_CREATE: Final = 0x1 | 0x4 | 0x400
_ROUTE: Final = "BBBBBBBBI"
_TABLE_LOCAL: Final = 255
_PROTOCOL_STATIC: Final = 4
_SCOPE_HOST: Final = 254
_TYPE_LOCAL: Final = 2
_OUTPUT_DEVICE: Final = 4
"""linux/rtnetlink.h."""

RESOLVER: Final = b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
_SWITCH: Final = b"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
"""No resolver beside DNS: systemd's is asked over a socket file, which is not cut off."""


def isolate(over: Mapping[Path, Path], kept: tuple[Path, ...], work: Path) -> None:
    """Leave the machine's network and mounts, for good.

    over: folder -> what to show in its place. kept: folders that have to stay as they are, though
    they may lie in one of those. work: a folder to put files in. Raises `StoreError` where the
    system does not allow it, `UsageError` on another one. To be called while there is one thread.
    """
    if not Path("/proc/self/ns/net").exists():
        raise UsageError(
            "a rehearsal needs Linux", fix="Run it in a Linux container or a CI job on Linux."
        )
    originals: list[tuple[Path, int]] = []
    try:
        _leave()
        originals += [(folder, os.open(folder, os.O_PATH)) for folder in kept]
        _loopback_up()
        for family in (socket.AF_INET, socket.AF_INET6):
            _make_all_local(family)
        for name, data in (("resolv.conf", RESOLVER), ("nsswitch.conf", _SWITCH)):
            ours = work / name
            ours.write_bytes(data)
            place = Path("/etc", name).resolve()
            if place.exists():
                _bind(str(ours), place)
        for place, shown in over.items():
            _bind(str(shown), place)
        for folder, descriptor in originals:
            folder.mkdir(parents=True, exist_ok=True)
            _bind(f"/proc/self/fd/{descriptor}", folder)
    except OSError as error:
        raise _refused(error) from None
    finally:
        for _, descriptor in originals:
            os.close(descriptor)


def adopt_orphans() -> None:
    """Become the parent of what the command leaves running, so that it can be ended."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _refused(error: OSError) -> StoreError:
    if error.errno == errno.EINVAL and error.filename == "/":
        return StoreError(
            "this root is no mount point, as a chroot's is not: no process can have mounts of its "
            "own in it",
            fix="Make the chroot's folder a mount point first: `mount --rbind DIR DIR`.",
        )
    what = "a network of its own" if error.filename is None else f"its own {error.filename}"
    return StoreError(
        f"this system does not let a process have {what}: {error.strerror}",
        fix="Run it as root, or where user namespaces are allowed (Ubuntu: "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container: "
        "`docker run --privileged`).",
    )


def _leave() -> None:
    user, group = os.getuid(), os.getgid()
    try:
        if user != 0:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        _unshare(_NEW_NETWORK | _NEW_MOUNTS)
    except PermissionError:
        _unshare(_NEW_USER | _NEW_NETWORK | _NEW_MOUNTS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _mount(None, b"/", _RECURSIVE | _PRIVATE)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", _UP_AND_RUNNING)
        fcntl.ioctl(any_socket, _SET_FLAGS, request)


def _make_all_local(family: int) -> None:
    route = struct.pack(
        _ROUTE, family, 0, 0, 0, _TABLE_LOCAL, _PROTOCOL_STATIC, _SCOPE_HOST, _TYPE_LOCAL, 0
    )
    device = struct.pack("HHI", 8, _OUTPUT_DEVICE, socket.if_nametoindex("lo"))
    size = 16 + len(route) + len(device)
    head = struct.pack("IHHII", size, _NEW_ROUTE, _REQUEST_ACK_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(head + route + device)
        (code,) = struct.unpack_from("i", kernel.recv(4096), 16)
    # A kernel without IPv6 has nothing to cut off.
    if code and not (family == socket.AF_INET6 and -code in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)):
        raise OSError(-code, os.strerror(-code))


def _unshare(flags: int) -> None:
    _checked(_libc().unshare(flags))


def _bind(source: str, place: Path) -> None:
    _mount(os.fsencode(source), os.fsencode(place), _BIND | _RECURSIVE)


def _mount(source: bytes | None, place: bytes, flags: int) -> None:
    _checked(_libc().mount(source, place, None, ctypes.c_ulong(flags), None), os.fsdecode(place))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(code: int, place: str | None = None) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), place)
