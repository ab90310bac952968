"""What runs in the process of one program: limits and walls around it, then the program.

`python -I -S jail.py SETTINGS` reads the program from one pipe, puts up what walls the kernel lets it, says over
another which ones stand, and becomes the program. Only the standard library is there, and nothing of this package.

On Linux the walls are namespaces (no network, a root directory that holds Python and the system's libraries for reading
and an empty folder) and a filter of system calls (no further process, no socket, no signal to others, no change of
their limits).
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import sys
from typing import Any

_NEW_MOUNTS, _NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
_MOUNT_SETATTR, _HERE, _EVERYWHERE = 442, -100, 0x8000
_PARENT_DEATH, _SECCOMP, _NO_NEW_PRIVILEGES, _FILTER = 1, 22, 38, 2
_SOME_UID = 65534
_MOST_THREADS = 64  # the kernel does not count those of root outside

# Numbers of system calls on x86-64 and on 64-bit ARM; None where there is none.
_FORBIDDEN = {
    "processes": [(57, None), (58, None), (59, 221), (322, 281), (112, 157), (109, 154)],  # fork, exec, sessions
    "signals": [(62, 129), (200, 130), (234, 131), (129, 138), (297, 240), (424, 424)],
    "others' memory": [(101, 117), (310, 270), (311, 271), (434, 434), (438, 438), (312, 272)],
    "network": [(41, 198), (53, 199), (425, 425), (426, 426), (427, 427)],
    "walls": [(272, 97), (308, 268), (165, 40), (166, 39), (155, 41), (161, 51), (304, 265), (428, 428), (442, 442)],
    "priorities": [(141, 140), (251, 30)],
    "kernel": [(321, 280), (298, 241), (323, 282), (250, 219), (248, 217), (249, 218), (135, 92)],
    "what outlives it": [(29, 194), (68, 186), (64, 190), (240, 180)],
}
_OF_ITSELF = ((302, 261), (203, 122), (144, 119), (142, 118), (314, 274))  # limits, cores, scheduling: a pid is first
_CLONE, _CLONE3, _FCNTL, _IOCTL, _PRCTL = (56, 220), (435, 435), (72, 25), (16, 29), (157, 167)
_AUDIT = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("start", ctypes.POINTER(_Instruction))]


_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # where they lie in what a filter sees
_ALLOW, _KILL, _DENY, _UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38


def main() -> None:
    """Be a program."""
    settings = json.loads(sys.argv[1])
    sys.argv[:] = ["program.py"]
    with os.fdopen(settings["program"], "rb") as pipe:
        program = pipe.read().decode()
    _limit(settings)
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    walls = [] if libc is None else _walls(libc, settings)
    if os.getppid() != settings["parent"]:
        os._exit(1)
    # Last, since what follows is the program's doing.
    os.write(settings["status"], json.dumps({"walls": walls}).encode())
    os.close(settings["status"])
    del settings, libc, walls
    exec(compile(program, "program.py", "exec", dont_inherit=True), {"__name__": "__main__"})


def _limit(settings: dict[str, Any]) -> None:
    most = settings["memory_mb"] * 2**20
    seconds = settings["seconds"]
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, settings["file_mb"] * 2**20, settings["file_mb"] * 2**20),
        (resource.RLIMIT_NOFILE, 64, 64),
        (resource.RLIMIT_AS, most, most),
    ):
        try:
            _lower(kind, soft, hard)
        except (OSError, ValueError):
            if sys.platform == "linux":  # macOS limits no memory
                raise


def _lower(kind: int, soft: int, hard: int) -> None:
    _, highest = resource.getrlimit(kind)
    within = (limit if highest == resource.RLIM_INFINITY else min(limit, highest) for limit in (soft, hard))
    resource.setrlimit(kind, tuple(within))  # pyright: ignore[reportArgumentType]


def _walls(libc: Any, settings: dict[str, Any]) -> list[str]:
    """Put up what the kernel lets us; the names of the walls that stand."""
    stand = []
    inside = _new_namespaces(libc)
    if inside and settings["root"]:
        _new_root(libc, settings["root"], settings["file_mb"])
        stand.append("files")
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    # No capability is left, of whatever namespace.
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), nothing):
        raise OSError(ctypes.get_errno(), "capset")
    libc.prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)  # giving up capabilities may undo it, and the filter forbids it
    if _filter(libc):
        stand.append("processes")
    if inside or "processes" in stand:
        stand.append("network")
    return stand


def _new_namespaces(libc: Any) -> bool:
    """Leave the network, the mounts and the shared memory of the others."""
    uid, gid = os.geteuid(), os.getegid()
    wanted = _NEW_MOUNTS | _NEW_IPC | _NEW_NETWORK
    if libc.unshare(_NEW_USER | wanted):
        return uid == 0 and not libc.unshare(wanted)
    for name, line in (("setgroups", "deny"), ("uid_map", f"{_SOME_UID} {uid} 1"), ("gid_map", f"{_SOME_UID} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)
    if _counts_by_namespace():
        _lower(resource.RLIMIT_NPROC, _MOST_THREADS, _MOST_THREADS)
    return True


def _counts_by_namespace() -> bool:
    """Whether the kernel counts threads by user namespace; before Linux 5.14, all of the user's would count."""
    major, minor = platform.release().split(".")[:2]
    return major.isdigit() and (int(major), int(minor) if minor.isdigit() else 0) >= (5, 14)


def _new_root(libc: Any, root: str, file_mb: int) -> None:
    """Make the folder the root: Python and the system's libraries for reading, and /work to write in."""
    flags = _NO_SETUID | _NO_DEVICES
    _mount(libc, None, "/", None, _RECURSIVE | _PRIVATE, None)
    _mount(libc, "tmpfs", root, "tmpfs", flags, f"size={file_mb}m,nr_inodes=4k,mode=755")
    shown = [
        os.path.join(sys.base_prefix, "lib"),
        os.path.dirname(os.__file__),
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
    ]
    for path in sorted({os.path.realpath(path) for path in shown if os.path.isdir(path)}):
        if os.path.isdir(root + path) and os.path.ismount(root + path):
            continue
        if os.path.isdir(root + path) and os.listdir(root + path):
            continue  # within one that is there already
        os.makedirs(root + path)
        _mount(libc, path, root + path, None, _BIND | _RECURSIVE, None)
        closed = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, 0, 0)
        if libc.syscall(_MOUNT_SETATTR, _HERE, (root + path).encode(), _EVERYWHERE, closed, 32):
            raise OSError(ctypes.get_errno(), f"{path} cannot be made read-only")
    for path in shown:
        real = os.path.realpath(path)
        if os.path.isdir(path) and real != path and not os.path.lexists(root + path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            os.symlink(real, root + path)
    os.mkdir(root + "/work")
    os.chroot(root)
    os.chdir("/work")


def _mount(libc: Any, source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    given = [part and part.encode() for part in (source, target, kind)]
    if libc.mount(*given, ctypes.c_ulong(flags), data and data.encode()):
        raise OSError(ctypes.get_errno(), f"{target} cannot be mounted")


def _filter(libc: Any) -> bool:
    """Forbid system calls; false on a machine whose numbers of them are not known here."""
    if platform.machine() not in _AUDIT or sys.maxsize < 2**32:
        return False
    audit, column = _AUDIT[platform.machine()]
    step = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, 0x40000000),  # another set of numbers for the same calls
        (_RETURN, 0, 0, _UNKNOWN),
    ]
    for calls in _FORBIDDEN.values():
        for call in calls:
            if call[column] is not None:
                step += [(_EQUAL, 0, 1, call[column]), (_RETURN, 0, 0, _DENY)]
    for call in _OF_ITSELF:  # only where the pid is 0, the caller's; the kernel reads 32 bits of it
        step += [(_EQUAL, 0, 4, call[column]), (_LOAD, 0, 0, _FIRST)]
        step += [(_EQUAL, 0, 1, 0), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]
    step += [(_EQUAL, 0, 4, _PRCTL[column]), (_LOAD, 0, 0, _FIRST)]
    step += [(_EQUAL, 0, 1, _PARENT_DEATH), (_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    step += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _UNKNOWN)]  # the C library then takes clone
    thread = 0x00010000
    step += [(_EQUAL, 0, 4, _CLONE[column]), (_LOAD, 0, 0, _FIRST), (_ANY_BIT, 0, 1, thread)]
    step += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]
    # The owner of a file descriptor is sent signals.
    for call, commands in ((_FCNTL, (8, 10, 15)), (_IOCTL, (0x8901, 0x8902, 0x5412))):
        step += [(_EQUAL, 0, 2 * len(commands) + 2, call[column]), (_LOAD, 0, 0, _SECOND)]
        for command in commands:
            step += [(_EQUAL, 0, 1, command), (_RETURN, 0, 0, _DENY)]
        step += [(_RETURN, 0, 0, _ALLOW)]
    step += [(_RETURN, 0, 0, _ALLOW)]
    program = _Program(len(step), (_Instruction * len(step))(*step))
    return libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0


if __name__ == "__main__":
    main()
