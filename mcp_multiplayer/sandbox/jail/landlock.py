"""Giving up files, TCP and signals by Landlock, with ctypes.

A second wall behind seccomp for the same attacks: everything the running kernel can govern is
handled and nothing is allowed. Stops native code that got a forbidden call through
(tests/attacks/test_bot_native.py, without seccomp). It does not govern ``stat``, nor TCP fast
open, nor UDP: never the only wall.
"""

from __future__ import annotations

import ctypes
import errno
import functools

#: The same on every machine, as all calls of recent years.
_CREATE, _RESTRICT = 444, 446
_VERSION = 1
#: Number of rights each ABI knows; a later ABI that is not listed knows at least these.
_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_FROM, _NET = 4, 0b11  #: bind and connect of TCP
_SCOPE_FROM, _SCOPE = 6, 0b11  #: abstract unix sockets, signals
_WHY = {
    errno.ENOSYS: "this kernel has none",
    errno.EOPNOTSUPP: "it is switched off in this kernel (lsm=)",
    errno.EPERM: "the container's own filter forbids it",
}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Attributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("files", "net", "scope"))


def version() -> tuple[int, str]:
    """The ABI of this kernel, or 0 and why there is none."""
    abi = _libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)
    if abi > 0:
        return int(abi), ""
    code = ctypes.get_errno()
    return 0, f"Landlock: {_WHY.get(code, errno.errorcode.get(code, 'refused'))}"


def governed(abi: int) -> dict[str, bool]:
    """What this ABI can take away."""
    return {"fs": abi > 0, "net": abi >= _NET_FROM, "scope": abi >= _SCOPE_FROM}


def rights(abi: int) -> tuple[int, int, int]:
    """Everything this ABI can handle: of files, of the network, of other processes."""
    files = (1 << _FILES.get(abi, max(_FILES.values()))) - 1
    return files, _NET if abi >= _NET_FROM else 0, _SCOPE if abi >= _SCOPE_FROM else 0


@functools.cache
def _everything(abi: int) -> tuple[object, ctypes.c_size_t]:
    attributes = _Attributes(*rights(abi))
    # An older kernel takes the longer structure as long as what it does not know is zero.
    return ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes))


def install(abi: int) -> None:
    """Give everything up for good. Needs ``no_new_privs``; opens and closes one descriptor."""
    ruleset = _libc.syscall(_CREATE, *_everything(abi), 0)
    if ruleset < 0 or _libc.syscall(_RESTRICT, ctypes.c_int(ruleset), 0):
        raise OSError(ctypes.get_errno(), "landlock")
    _libc.close(ctypes.c_int(ruleset))
