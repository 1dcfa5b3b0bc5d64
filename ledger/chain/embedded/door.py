"""Run a program in a network of its own with one door: ``python door.py PARENT SOCKET PORT PROGRAM ARGUMENTS…``.

Whoever can connect to the node can write its state, and a port on loopback is open to every process of the machine.
In a network namespace of its own (Linux, `user_namespaces(7)`) the node's port exists for nobody else; a child here, in
the same namespace, carries bytes between it and a Unix socket in a folder that only this user may enter.

Started as a script, without this package: only the standard library may be imported. The process becomes the program,
so its pid and its end are the program's; the child that keeps the door ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_IFREQ = struct.Struct("16sh14x")
_BLOCK = 1 << 18
_WAITING_MAX = 64
_TRY = "--try"


@functools.cache
def is_available() -> bool:
    """Return whether this system lets this user have a network namespace; asked once a process."""
    if sys.platform != "linux":
        return False
    tried = subprocess.run([sys.executable, "-I", "-S", __file__, _TRY], check=False, capture_output=True, timeout=30)
    return tried.returncode == 0


def enter() -> None:
    """Leave for a user and a network namespace in which loopback alone is up. Raises OSError where that is refused."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no namespace")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123  (pathlib is slow to import)
            file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _, flags = _IFREQ.unpack(fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0)))
        fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags | _IFF_UP))


def main(arguments: list[str]) -> None:
    """Enter the namespace, open the door, and become the program."""
    if arguments == [_TRY]:
        enter()
        return
    parent, name, port, *command = arguments
    enter()
    _die_with(int(parent))
    os.umask(0o077)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(name)
    listener.listen(_WAITING_MAX)
    program = os.getpid()
    if os.fork() == 0:
        _die_with(program)
        _keep(listener, int(port))
    os.execv(command[0], command)  # noqa: S606  (the launcher's own argument)


def _die_with(parent: int) -> None:
    """End when the parent ends, in whatever way (`PR_SET_PDEATHSIG(2const)`, kept across exec)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _keep(listener: socket.socket, port: int) -> None:
    """Let in whoever comes through the socket, until the end."""
    while True:
        inner, _ = listener.accept()
        outer = _connect(port)
        outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, target in ((inner, outer), (outer, inner)):
            threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _connect(port: int) -> socket.socket:
    """Connect to the program; it may not listen yet, and if it never does, this process ends with it."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.005)


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes one way until one side ends, and tell the other."""
    block = memoryview(bytearray(_BLOCK))
    try:
        while count := source.recv_into(block):
            target.sendall(block[:count])
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main(sys.argv[1:])
