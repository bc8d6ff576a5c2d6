"""The directory of temporary files of one hook.

Runs in the host. On the other side is a stranger's code that names paths: it gets a
descriptor below its own directory or an error, never a way out by `..`, a link, a mount
or an absolute path (tests/sandbox/hostcalls/test_workspace.py). The directory is made when
a hook opens its first file and removed when the hook is over. Bots cannot make links;
the flags of openat2 stand in case anything else ever could.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if sys.platform != "win32":
    import fcntl

#: open()'s modes, and what they mean to the kernel.
_FLAGS = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "x+": os.O_RDWR | os.O_CREAT | os.O_EXCL,
}
MOST_FILES = 64
_PREFIX = "mpx-bots-"
_FRESH = 60.0  #: seconds in which a new directory may not be locked yet
_DEEPEST = 8
_OPENAT2 = 437  #: the same number on every architecture
#: RESOLVE_NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class Workspaces:
    """The directories of all hooks of this process, under one that dies with it."""

    def __init__(self, parent: Path | None = None, largest: int = 100 << 20) -> None:
        self._parent = parent
        self.largest = largest
        self._path: Path | None = None
        self._lock = -1

    def hook(self) -> Workspace:
        """An empty workspace for one hook."""
        return Workspace(self._directory, self.largest)

    def close(self) -> None:
        """Remove what is left."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._lock)
            self._path = None

    def _directory(self) -> Path:
        if self._path is None:
            parent = self._parent or _usual_parent()
            sweep(parent)
            self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))  # 0700
            self._lock = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._path


def _usual_parent() -> Path:
    mounted = Path("/workspaces")  # a tmpfs of a set size in our container
    return mounted if os.access(mounted, os.W_OK) else Path(tempfile.gettempdir())


def sweep(parent: Path) -> None:
    """Remove what servers that were killed have left: nobody holds its lock any more."""
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # somebody else's, or gone
            continue
        try:
            if time.time() - os.fstat(fd).st_mtime > _FRESH:  # else perhaps not locked yet
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)


class Workspace:
    """One hook's directory; nothing on the disk before the first `open`."""

    def __init__(self, parent: Callable[[], Path], largest: int) -> None:
        self._parent = parent
        self._largest = largest
        self._path: Path | None = None
        self._root = -1

    @property
    def used(self) -> bool:
        """True when there is something to remove."""
        return self._path is not None

    @property
    def full(self) -> bool:
        """True when the files together are larger than allowed."""
        return self._sizes()[1] > self._largest

    def open(self, name: str, mode: str) -> int:
        """A descriptor of a file below the directory, or OSError as ``open`` raises it."""
        flags = _FLAGS[mode]
        parts = _parts(name)
        if self._root < 0:
            self._make()
        if flags & os.O_CREAT:
            self._room()
            for depth in range(1, len(parts)):
                self._directory("/".join(parts[:depth]))
        fd = _open_beneath(self._root, "/".join(parts), flags, 0o600)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        return fd

    def close(self) -> None:
        """Remove everything that was written."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None

    def _make(self) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="hook-", dir=self._parent()))
        self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

    def _room(self) -> None:
        held, used = self._sizes()
        if used >= self._largest:
            shown = self._largest >> 20
            raise OSError(errno.EDQUOT, f"ctx.workspace is full: {shown} MB in all")
        if held >= MOST_FILES:
            words = f"ctx.workspace holds at most {MOST_FILES} files and directories"
            raise OSError(errno.EMFILE, words)

    def _sizes(self) -> tuple[int, int]:
        """How much there is, and the sizes of all files together: the same on every disk."""
        held = used = 0
        for where, directories, files in os.walk(self._path or ""):
            held += len(directories) + len(files)
            used += sum(os.lstat(os.path.join(where, name)).st_size for name in files)
        return held, used

    def _directory(self, name: str) -> None:
        """Directories come with the first file in them: bots have no mkdir."""
        try:
            os.mkdir(name, 0o700, dir_fd=self._root)
        except FileExistsError:
            return


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    if ".." in parts or name.startswith("/") or "\0" in name:
        raise PermissionError(errno.EACCES, "files are opened below ctx.workspace only")
    if len(parts) > _DEEPEST or any(len(os.fsencode(part)) > 255 for part in parts):
        raise OSError(errno.ENAMETOOLONG, "File name too long")
    return parts


def _open_beneath(root: int, name: str, flags: int, mode: int) -> int:
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    if _libc is not None:
        how = _How(flags, mode if flags & os.O_CREAT else 0, _RESOLVE)
        fd = _libc.syscall(_OPENAT2, root, os.fsencode(name), ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return int(fd)
        code = ctypes.get_errno()
        if code not in (errno.ENOSYS, errno.EPERM):  # an old kernel, or an old container's filter
            raise OSError(code, os.strerror(code))
    return _step_by_step(root, name, flags, mode)


def _step_by_step(root: int, name: str, flags: int, mode: int) -> int:
    """The same without openat2: each directory opened from the one before, no link followed."""
    *directories, last = name.split("/")
    here = os.dup(root)
    try:
        for part in directories:
            there = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = there
        return os.open(last, flags, mode, dir_fd=here)
    finally:
        os.close(here)
