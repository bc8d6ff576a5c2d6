"""The filter says what its table says, on both machines; read by a small machine of our own."""

from __future__ import annotations

import platform
import re
import struct
from pathlib import Path

import pytest

from mcp_multiplayer.sandbox.jail import landlock, seccomp
from mcp_multiplayer.sandbox.jail.syscalls import ALLOWED, ARCHITECTURE, KILLED, numbers

ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050001
MACHINES = sorted(ARCHITECTURE)


def verdict(
    machine: str, number: int, *arguments: int, arch: int | None = None, code: bytes = b""
) -> int:
    """Run the filter as the kernel would."""
    code_ = list(struct.iter_unpack("HBBI", code or seccomp.program(machine)))
    wide = [value & (2**64 - 1) for value in (*arguments, *[0] * 6)[:6]]
    data = struct.pack("IIQ6Q", number & (2**32 - 1), arch or ARCHITECTURE[machine], 0, *wide)
    at = held = 0
    while True:
        operation, yes, no, value = code_[at]
        if operation == 0x06:
            return int(value)
        if operation == 0x20:
            (held,) = struct.unpack_from("I", data, value)
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}
            at += yes if holds[operation] else no
        at += 1


@pytest.mark.parametrize("machine", MACHINES)
def test_each_number_gets_what_its_table_says(machine: str) -> None:
    allowed, killed = numbers(ALLOWED, machine), numbers(KILLED, machine)
    assert not set(allowed.values()) & set(killed.values())
    asked = {"ioctl", "fcntl", "getsockopt", "setsockopt"}  # refuse an argument of zero
    for name, number in allowed.items():
        fcntl_dup = name == "fcntl"
        expected = REFUSE if name in asked and not fcntl_dup else ALLOW
        assert verdict(machine, number) == expected, name
    for number in killed.values():
        assert verdict(machine, number) == KILL
    for number in range(1200):
        if number not in {*allowed.values(), *killed.values()}:
            assert verdict(machine, number) == REFUSE


def test_there_are_67_calls_and_none_makes_a_descriptor_out_of_a_name() -> None:
    allowed = numbers(ALLOWED, "x86_64")
    assert len(allowed) == 67
    assert not set(allowed) & {
        "open",
        "openat",
        "socket",
        "connect",
        "stat",
        "newfstatat",
        "clone",
        "clone3",
        "sendmsg",
        "prctl",
        "bind",
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_another_table_of_calls_is_deadly(machine: str) -> None:
    (other,) = (arch for name, arch in ARCHITECTURE.items() if name != machine)
    for arch in (other, 0x40000003):  # the second: 32-bit x86
        assert verdict(machine, numbers(ALLOWED, machine)["read"], arch=arch) == KILL
    if machine == "x86_64":
        assert verdict(machine, 0x40000000) == verdict(machine, 0x40000000 | 39) == KILL
        assert verdict(machine, -1) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("mmap", (0, 4096, 3, 0x22), ALLOW),
        ("mmap", (0, 4096, 7, 0x22), REFUSE),
        ("mmap", (0, 4096, 4 | 1 << 40, 0x22), REFUSE),
        ("mprotect", (0, 4096, 1), ALLOW),
        ("mprotect", (0, 4096, 4), REFUSE),
        ("sendto", (3, 1, 1, 0, 0, 0), ALLOW),
        ("sendto", (3, 1, 1, 0x4000, 0, 0), ALLOW),
        ("sendto", (3, 1, 1, 0, 1 << 40, 16), REFUSE),
        ("sendto", (3, 1, 1, 0, 1, 16), REFUSE),
        ("sendto", (3, 1, 1, 0x20000000, 0, 0), REFUSE),
        ("sendto", (3, 1, 1, 0x20004000, 0, 0), REFUSE),
        ("ioctl", (3, 0x5421), ALLOW),
        ("ioctl", (3, 0x5412), REFUSE),
        ("ioctl", (3, 0x5421 | 1 << 32), ALLOW),  # the kernel drops the upper half as well
        ("fcntl", (3, 1030), ALLOW),
        ("fcntl", (3, 4, 0x800), ALLOW),
        ("fcntl", (3, 8, 1), REFUSE),
        ("fcntl", (3, 10, 9), REFUSE),
        ("getsockopt", (3, 1, 4), ALLOW),
        ("getsockopt", (3, 1, 77), REFUSE),
        ("getsockopt", (3, 1, 17), REFUSE),
        ("setsockopt", (3, 6, 1), ALLOW),
        ("setsockopt", (3, 6, 31), REFUSE),
        ("setsockopt", (3, 1, 26), REFUSE),
        ("setsockopt", (3, 0, 1), REFUSE),
    ],
)
def test_arguments_are_looked_at(
    machine: str, name: str, arguments: tuple[int, ...], expected: int
) -> None:
    assert verdict(machine, numbers(ALLOWED, machine)[name], *arguments) == expected


TOP = 0x5555_5777_8000
LARGEST = seccomp.OBJECT + (1 << 16)
STAYS, NO_MEMORY = 0x00050000, 0x0005000C


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("mmap", (0, LARGEST), ALLOW),
        ("mmap", (0, LARGEST + 1), NO_MEMORY),
        ("mmap", (0, 1 << 32), NO_MEMORY),
        ("mmap", (0, 1 << 40 | 1), NO_MEMORY),
        ("mremap", (TOP, 4096, LARGEST), ALLOW),
        ("mremap", (TOP, 4096, LARGEST + 1), NO_MEMORY),
        ("brk", (0,), ALLOW),
        ("brk", (TOP,), ALLOW),
        ("brk", (TOP + seccomp.OBJECT,), ALLOW),
        ("brk", (TOP + seccomp.OBJECT + 1,), STAYS),
        ("brk", (TOP + (1 << 32),), STAYS),
        ("brk", (TOP - (1 << 32),), ALLOW),
        ("read", (3, 0, 1 << 40), ALLOW),
    ],
)
def test_no_block_of_memory_is_larger_than_an_object_may_be(
    name: str, arguments: tuple[int, ...], expected: int
) -> None:
    machine = platform.machine()
    code = seccomp.lesser(TOP)
    assert verdict(machine, numbers(ALLOWED, machine)[name], *arguments, code=code) == expected


@pytest.mark.skipif(
    not Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").exists(), reason="needs the headers"
)
def test_the_numbers_are_those_of_the_headers() -> None:
    text = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    known = {name: int(value) for name, value in re.findall(r"__NR_(\w+) (\d+)", text)}
    for table in (ALLOWED, KILLED):
        found = numbers(table, "x86_64")
        assert found == {name: known.get(name, number) for name, number in found.items()}


@pytest.mark.parametrize(
    ("abi", "expected"),
    [
        (1, (0x1FFF, 0, 0)),
        (2, (0x3FFF, 0, 0)),
        (3, (0x7FFF, 0, 0)),
        (4, (0x7FFF, 3, 0)),
        (5, (0xFFFF, 3, 0)),
        (6, (0xFFFF, 3, 3)),
        (7, (0xFFFF, 3, 3)),
        (12, (0xFFFF, 3, 3)),
    ],
)
def test_landlock_is_asked_for_what_its_abi_knows(abi: int, expected: tuple[int, ...]) -> None:
    assert landlock.rights(abi) == expected
