# ruff: noqa: E501 one attack a line
"""What native code in a worker tries, as data.

The language is lost: ctypes, any system call with any argument, on x86-64. A row is Python that
`tests/attacks/native_lab.py` runs inside the jail, with these names at hand: ``call(number, …)``
makes a system call or raises OSError; ``SERVER`` and ``ZYGOTE`` are processes outside, ``ADDRESS``
and ``SIZE`` say where the server's memory holds a secret, ``PORT`` is a TCP and UDP port it
listens on, ``UNIX`` an abstract name it listens on, ``DIR`` a directory of its files with
``SECRET`` in it, ``FD`` and ``EMPTY`` are the worker's two descriptors.

A row may end in ``-> WORDS``: then these, too, count as a refusal. (EAGAIN of execve(2): the user
had more processes than its limit permits when the worker became it. Two servers of one machine
may give their bots the same users.)
"""

from __future__ import annotations

_FILES = r"""
open a file | open(SECRET).read()
open by old call | call(2, SECRET.encode(), 0)
openat | call(257, -100, SECRET.encode(), 0)
openat2 | call(437, -100, SECRET.encode(), (c_ulong * 3)(), 24)
open the password file | os.open("/etc/passwd", os.O_RDONLY)
open a directory | os.open("/", os.O_RDONLY | os.O_DIRECTORY)
open only as a path | os.open("/", os.O_PATH)
list a directory | os.listdir(DIR)
write a file | open(DIR + "/new", "w").write("x")
creat | call(85, (DIR + "/new").encode(), 0o644)
append to a file | os.open(SECRET, os.O_WRONLY | os.O_APPEND)
write to /tmp | open(f"/tmp/mcp-escape-{PORT}", "w").write("x")
make a nameless file | os.open(DIR, os.O_TMPFILE | os.O_RDWR)
stat | os.stat(SECRET)
lstat by old call | call(6, SECRET.encode(), create_string_buffer(256))
statx | call(332, -100, SECRET.encode(), 0, 0xfff, create_string_buffer(256))
access | call(21, b"/etc/shadow", 0)
faccessat2 | call(439, -100, b"/etc/shadow", 0, 0)
readlink | os.readlink("/proc/self/exe")
statfs | os.statvfs("/")
truncate by name | call(76, SECRET.encode(), 0)
unlink | os.unlink(SECRET)
rename | os.rename(SECRET, SECRET + "2")
make a directory | os.mkdir(DIR + "/new")
remove a directory | os.rmdir(DIR + "/empty")
link | os.link(SECRET, DIR + "/new")
symlink | os.symlink("/etc", DIR + "/new")
make a device | os.mknod(DIR + "/new", 0o600 | 0x2000, os.makedev(1, 1))
make a fifo | os.mkfifo(DIR + "/new")
chmod | os.chmod(SECRET, 0o777)
chown | os.chown(SECRET, 65534, 65534)
utimes | os.utime(SECRET, (0, 0))
set an attribute | os.setxattr(SECRET, "user.x", b"x")
go elsewhere | os.chdir(DIR)
where am I | os.getcwd()
chroot | call(161, DIR.encode())
mount | call(165, b"none", DIR.encode(), b"tmpfs", 0, None)
unmount | call(166, DIR.encode(), 2)
new mount api | call(430, b"tmpfs", 0)
open_tree | call(428, -100, DIR.encode(), 1)
pivot_root | call(155, DIR.encode(), DIR.encode())
by handle | call(304, -100, create_string_buffer(64), 0)
watch files | call(294, 0)
watch all files | call(300, 0, 0)
copy between descriptors | call(326, FD, None, 0, None, 10, 0)
lock a file | call(73, 0, 2)
quotas | call(179, 0x800001 << 8, None, 0, None)
swap off | call(168, b"/nowhere")
accounting | call(163, None)
"""

_PROCESSES = r"""
fork | fork_and_leave()
fork by old call | call(57)
vfork | call(58)
clone a thread | call(56, 0x10f00, None, None, None, None)
clone3 | call(435, create_string_buffer(88), 88)
a Python thread | _thread.start_new_thread(int, ()) -> RuntimeError
posix_spawn | os.posix_spawn("/bin/sh", ["sh", "-c", f"echo > {DIR}/new"], {})
subprocess | subprocess.run(["/bin/sh", "-c", f"echo > {DIR}/new"], close_fds=False)
system | worked(libc.system(f"echo > {DIR}/new".encode()) == 0)
execve | os.execv("/bin/sh", ["sh", "-c", f"echo > {DIR}/new"]) -> EAGAIN
execveat | call(322, -100, b"/bin/true", strings(b"true"), None, 0) -> EAGAIN
signal the server | os.kill(SERVER, 10)
signal the zygote | os.kill(ZYGOTE, 0)
signal everybody | os.kill(-1, 0)
signal the group | os.killpg(0, 0)
tkill | call(200, SERVER, 10)
tgkill | call(234, SERVER, SERVER, 10)
sigqueue | call(129, SERVER, 10, siginfo())
signal by pidfd | call(424, call(434, SERVER, 0), 10, None, 0)
take a descriptor of the server | call(438, call(434, SERVER, 0), 0, 0)
the server as a descriptor of its socket | call(55, FD, 1, 77, create_string_buffer(4), pointer(c_uint(4)))
be sent the server as a descriptor | call(54, FD, 1, 76, pointer(c_uint(1)), 4)
signal by a socket's owner | fcntl.fcntl(FD, 8, SERVER)
signal by another owner | fcntl.fcntl(FD, 15, pack("ii", 1, SERVER))
choose the signal of a socket | fcntl.fcntl(FD, 10, 9)
asynchronous by ioctl | fcntl.ioctl(FD, 0x5452, pack("i", 1))
attach a debugger | call(101, 0x4206, SERVER, None, None)
be debugged | call(101, 0, 0, None, None)
read memory of the server | call(310, SERVER, iovec(create_string_buffer(SIZE)), 1, remote(), 1, 0)
write memory of the server | call(311, SERVER, iovec(create_string_buffer(b"x" * SIZE)), 1, remote(), 1, 0)
read memory as a file | os.pread(os.open(f"/proc/{SERVER}/mem", os.O_RDONLY), SIZE, ADDRESS)
write memory as a file | os.pwrite(os.open(f"/proc/{SERVER}/mem", os.O_RDWR), b"x" * SIZE, ADDRESS)
read the server's environment | open(f"/proc/{SERVER}/environ", "rb").read()
read its descriptors | os.listdir(f"/proc/{SERVER}/fd")
compare resources | call(312, SERVER, SERVER, 0, 0, 0)
robust list of the server | call(274, SERVER, pointer(c_ulong()), pointer(c_ulong()))
limits of the server | resource.prlimit(SERVER, resource.RLIMIT_MSGQUEUE, (1, 1))
priority of the server | os.setpriority(os.PRIO_PROCESS, SERVER, 19)
processor of the server | os.sched_setaffinity(SERVER, {0})
scheduler of the server | os.sched_setscheduler(SERVER, os.SCHED_BATCH, os.sched_param(0))
io priority of the server | call(251, 1, SERVER, 3 << 13)
move its pages | call(279, SERVER, 0, None, None, None, 0)
a session of its own | os.setsid()
wait for others | os.waitpid(-1, 0)
"""

_NETWORK = r"""
tcp socket | call(41, 2, 1, 0)
tcp6 socket | call(41, 10, 1, 0)
udp socket | call(41, 2, 2, 0)
unix socket | call(41, 1, 1, 0)
mptcp socket | call(41, 2, 1, 262)
netlink socket | call(41, 16, 3, 0)
packet socket | call(41, 17, 3, 0)
raw socket | call(41, 2, 3, 1)
vsock socket | call(41, 40, 1, 0)
crypto socket | call(41, 38, 5, 0)
socket pair | call(53, 1, 1, 0, (c_int * 2)())
connect over tcp | connect(call(41, 2, 1, 0), inet())
connect by fast open | call(44, call(41, 2, 1, 0), b"x", 1, 0x20000000, inet(), 16)
send a datagram | call(44, call(41, 2, 2, 0), b"x", 1, 0, inet(), 16)
connect the empty socket | connect(EMPTY, UNIX)
send from the empty socket | call(44, EMPTY, b"x", 1, 0, UNIX, len(UNIX))
send from it by fast open | call(44, EMPTY, b"x", 1, 0x20000000, None, 0)
re-aim the answer socket | connect(FD, b"\0\0" + bytes(14))
send elsewhere on the answer socket | call(44, FD, b"x", 1, 0, UNIX, len(UNIX))
address far up in the address space | call(44, FD, b"x", 1, 0, c_void_p(1 << 40), 16)
sendmsg | call(46, EMPTY, create_string_buffer(56), 0)
sendmmsg | call(307, EMPTY, create_string_buffer(64), 1, 0)
bind | call(49, EMPTY, b"\1\0\0mcp-mine", 11)
listen | call(50, EMPTY, 1)
accept | call(43, EMPTY, None, None)
accept4 | call(288, EMPTY, None, None, 0)
a program in the kernel for a socket | call(54, EMPTY, 1, 26, pack("HxxxxxxP", 1, buffer(pack("HBBI", 6, 0, 0, 0))), 16)
who is on the other side | call(55, FD, 1, 17, create_string_buffer(12), pointer(c_uint(12)))
network interfaces | fcntl.ioctl(EMPTY, 0x8912, bytes(16))
"""

_KERNEL = r"""
executable memory | call(9, None, 4096, 7, 0x22, -1, 0)
make memory executable | call(10, page(), 4096, 5)
make memory executable by key | call(329, page(), 4096, 5, -1)
executable by personality | call(135, 0x400000)
the 32-bit table | int_0x80() -> SIGSYS
the x32 table | call(0x40000000 | 39)
x32 sendmsg | call(0x40000000 | 518, EMPTY, create_string_buffer(56), 0)
a number beyond the table | call(100000)
a negative number | call(-1) -> SIGSYS
user namespace | call(272, 0x10000000)
all namespaces | call(272, 0x7e020000)
join a namespace | call(308, FD, 0)
bpf | call(321, 0, create_string_buffer(72), 72)
performance counters | call(298, create_string_buffer(128), 0, -1, -1, 0)
io_uring | call(425, 1, create_string_buffer(120))
io_uring enter | call(426, FD, 1, 0, 0, None, 0)
userfaultfd | call(323, 1)
keyring | call(248, b"user", b"mcp", b"x", 1, -3)
keyctl | call(250, 0, -3, 0)
memory as a file | call(319, b"x", 0)
secret memory | call(447, 0)
shared memory | call(29, 0x4d4350, 4096, 0o1600)
semaphores | call(64, 0x4d4350, 1, 0o1600)
message queue | call(68, 0x4d4350, 0o1600)
named queue | call(240, b"mcp", 0o102, 0o600, None)
another filter | call(317, 1, 0, create_string_buffer(16))
read the filter | call(101, 0x420c, os.getpid(), 0, None)
another Landlock | call(444, create_string_buffer(24), 24, 0)
new privileges | call(157, 38, 0, 0, 0, 0)
dumpable again | call(157, 4, 1, 0, 0, 0)
outlive the parent | call(157, 1, 0, 0, 0, 0)
a new name | call(157, 15, b"kworker", 0, 0, 0)
root again | os.setuid(0)
other groups | os.setgroups([0])
capabilities | call(126, (c_uint * 2)(0x20080522, 0), (c_uint * 6)(*[0xffffffff] * 6))
more descriptors | call(302, 0, 7, (c_ulong * 2)(4096, 4096), None)
more memory | call(302, 0, 9, (c_ulong * 2)(1 << 40, 1 << 40), None)
larger files | call(302, 0, 1, (c_ulong * 2)(1 << 40, 1 << 40), None)
more processes | call(160, 6, (c_ulong * 2)(100, 100))
core dumps | call(160, 4, (c_ulong * 2)(1, 1))
less nice | os.nice(-19)
real-time | os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
pinned memory | call(149, page(), 4096)
a lot of memory | len(bytearray(1 << 30)) -> MemoryError
a lot of mappings | call(9, None, 1 << 40, 3, 0x22, -1, 0) -> ENOMEM
all the descriptors | [os.dup(FD) for _ in range(70)] -> EMFILE
pipe | os.pipe()
eventfd | call(290, 0, 0)
timerfd | call(283, 1, 0)
signalfd | call(289, -1, pointer(c_ulong(0)), 8, 0)
type into a terminal | fcntl.ioctl(0, 0x5412, b"x")
seal | fcntl.fcntl(FD, 1033, 1)
lease | fcntl.fcntl(0, 1024, 0)
watch a directory | fcntl.fcntl(FD, 1026, 1)
kernel log | call(103, 3, create_string_buffer(64), 64)
host name | call(170, b"owned", 5)
read the host name | os.uname()
set the clock | call(164, None, None)
adjust the clock | call(159, create_string_buffer(208))
reboot keys | call(169, 0xfee1dead - (1 << 32), 0x28121969, 0, None)
load a module | call(175, b"", 0, b"")
unload a module | call(176, b"nothing", 0)
another kernel | call(246, 0, 0, None, 0)
ports | call(172, 3)
segments | call(154, 0, create_string_buffer(16), 16)
hang up | call(153)
"""


def rows() -> dict[str, tuple[str, frozenset[str]]]:
    """Each attack's code, and the words that count as a refusal besides the usual ones."""
    found = {}
    for line in (_FILES + _PROCESSES + _NETWORK + _KERNEL).strip().splitlines():
        if not line:
            continue
        name, _, code = line.partition(" | ")
        code, _, words = code.partition(" -> ")
        found[name] = (code, frozenset(words.split()) | USUAL)
    return found


#: What the jail says. Anything else means that the call got through to something.
USUAL = frozenset({"EPERM", "EACCES", "SIGSYS"})
