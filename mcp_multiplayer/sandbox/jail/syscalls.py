"""Which system calls a worker may make, by number.

A table and nothing else. Everything a bot legitimately does was measured to need 24 of
these; the rest are their relatives on other machines and versions. What
is on neither list gets EPERM: libraries probe with ``openat``, ``socket``, ``clone`` or
``uname`` and go on without. On purpose nowhere: every way to a new descriptor, and ``stat``,
which Landlock does not govern.

``name=x86-64/aarch64``, and ``-`` where a machine has no such call. The aarch64 column was
compared with the kernel's headers and never run.
"""

from __future__ import annotations

ALLOWED = """
read=0/63 write=1/64 readv=19/65 writev=20/66 pread64=17/67 pwrite64=18/68
recvfrom=45/207 recvmsg=47/212 sendto=44/206 getsockopt=55/209 setsockopt=54/208
getsockname=51/204 getpeername=52/205 shutdown=48/210
close=3/57 lseek=8/62 fstat=5/80 ftruncate=77/46 dup=32/23 dup2=33/- dup3=292/24
fcntl=72/25 ioctl=16/29
poll=7/- ppoll=271/73 select=23/- pselect6=270/72
epoll_create1=291/20 epoll_ctl=233/21 epoll_wait=232/- epoll_pwait=281/22
brk=12/214 mmap=9/222 munmap=11/215 mremap=25/216 mprotect=10/226 madvise=28/233
futex=202/98 sched_yield=24/124 membarrier=324/283 rseq=334/293
set_robust_list=273/99 set_tid_address=218/96 restart_syscall=219/128
rt_sigaction=13/134 rt_sigprocmask=14/135 rt_sigreturn=15/139 sigaltstack=131/132
clock_gettime=228/113 clock_getres=229/114 clock_nanosleep=230/115 nanosleep=35/101
gettimeofday=96/169 time=201/- times=100/153 getrusage=98/165 getrandom=318/278
getpid=39/172 gettid=186/178 getppid=110/173
getuid=102/174 geteuid=107/175 getgid=104/176 getegid=108/177 sched_getaffinity=204/123
exit=60/93 exit_group=231/94
"""

#: Nothing of ours calls these. Who does is ended at once: louder than an error.
KILLED = """
execve=59/221 execveat=322/281 fork=57/- vfork=58/- ptrace=101/117
process_vm_readv=310/270 process_vm_writev=311/271 process_madvise=440/440
process_mrelease=448/448 pidfd_open=434/434 pidfd_send_signal=424/424 pidfd_getfd=438/438
kill=62/129 tkill=200/130 tgkill=234/131 rt_sigqueueinfo=129/138 rt_tgsigqueueinfo=297/240
mount=165/40 umount2=166/39 pivot_root=155/41 move_mount=429/429 fsopen=430/430
fsconfig=431/431 fsmount=432/432 fspick=433/433 open_tree=428/428 mount_setattr=442/442
chroot=161/51 setns=308/268 unshare=272/97 personality=135/92
bpf=321/280 perf_event_open=298/241 userfaultfd=323/282 kcmp=312/272
io_uring_setup=425/425 io_uring_enter=426/426 io_uring_register=427/427
add_key=248/217 request_key=249/218 keyctl=250/219 memfd_create=319/279 memfd_secret=447/447
open_by_handle_at=304/265 name_to_handle_at=303/264
setuid=105/146 setgid=106/144 setreuid=113/145 setregid=114/143 setresuid=117/147
setresgid=119/149 setfsuid=122/151 setfsgid=123/152 setgroups=116/159 capset=126/91
shmget=29/194 shmat=30/196 shmctl=31/195 shmdt=67/197
semget=64/190 semop=65/193 semctl=66/191 semtimedop=220/192
msgget=68/186 msgsnd=69/189 msgrcv=70/188 msgctl=71/187
mq_open=240/180 mq_unlink=241/181 mq_timedsend=242/182 mq_timedreceive=243/183
mq_notify=244/184 mq_getsetattr=245/185
inotify_init=253/- inotify_init1=294/26 inotify_add_watch=254/27 inotify_rm_watch=255/28
fanotify_init=300/262 fanotify_mark=301/263
kexec_load=246/104 kexec_file_load=320/294 init_module=175/105 finit_module=313/273
delete_module=176/106 acct=163/89 swapon=167/224 swapoff=168/225 reboot=169/142
settimeofday=164/170 clock_settime=227/112 adjtimex=159/171 clock_adjtime=305/266
sethostname=170/161 setdomainname=171/162 quotactl=179/60 vhangup=153/58
iopl=172/- ioperm=173/- modify_ldt=154/-
landlock_create_ruleset=444/444 landlock_add_rule=445/445 landlock_restrict_self=446/446
seccomp=317/277
"""

#: What a zygote needs besides, to fork workers, jail and bury them (`sandbox/jail/confinement.py`).
FORKING = """
clone=56/220 clone3=435/435 wait4=61/260 kill=62/129 socket=41/198
prctl=157/167 setrlimit=160/164 getrlimit=97/163 prlimit64=302/261 close_range=436/436
getpriority=140/141 setpriority=141/140 sched_setscheduler=144/119
setgroups=116/159 setresgid=119/149 setresuid=117/147
landlock_create_ruleset=444/444 landlock_restrict_self=446/446 seccomp=317/277
"""

_COLUMN = {"x86_64": 0, "aarch64": 1}
#: How a filter tells which table a number belongs to (AUDIT_ARCH_*).
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def numbers(table: str, machine: str) -> dict[str, int]:
    """One column of a table: the call's number on this machine, by name."""
    column = _COLUMN[machine]
    rows = (entry.split("=") for entry in table.split())
    cells = ((name, both.split("/")[column]) for name, both in rows)
    return {name: int(cell) for name, cell in cells if cell != "-"}
