# ruff: noqa: ASYNC240 reads /proc
"""What is said of the walls is what stands, and bots run only behind what was asked for."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.errors import BotRejected, Unavailable
from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits
from mcp_multiplayer.sandbox.host import selftest
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.jail.isolation import Isolation, Walls
from mcp_multiplayer.sandbox.jail.selftest_attacks import ATTACKS

pytestmark = pytest.mark.asyncio(loop_scope="module")
SOURCE = "class Bot:\n    def on_init(self):\n        self.ctx.post('bot', 'hi')\n"
FOREVER = "class Bot:\n    def on_init(self):\n        sum(iter(int, 1))\n"
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
ALL = {"fs": True, "net": True, "scope": True}
FULL = Walls(True, 7, ALL, 20_000)
STRONG = Walls(True, degraded=("Landlock: this kernel has none",))


def a_pool(**kwargs: Any) -> Any:
    """Untyped, because these tests look inside."""
    return Pool(spares=1, **kwargs)


def call(source: str = SOURCE, **kwargs: Any) -> HookCall:
    return HookCall(source, "on_init", **kwargs)


async def workers(pool: Any, count: int) -> Sequence[int]:
    """The first spares, once they are in the jail."""
    spares = [pool._fork(pool._keeper) for _ in range(count)]
    for spare in spares:
        await pool._receive(spare.sock, 16)
    zygote = pool._keeper.pid
    kids = Path(f"/proc/{zygote}/task/{zygote}/children").read_text()
    pool._ready.extend(spares)
    return [int(word) for word in kids.split()][-count:]


def facts(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in text.splitlines()}


# The words


@pytest.mark.parametrize(
    ("policy", "walls", "failures", "level", "refused"),
    [
        ("auto", FULL, (), "full", False),
        ("auto", STRONG, (), "strong", False),
        ("auto", Walls(), (), "none", True),
        ("auto", FULL, ("fork: not refused",), "none", True),
        ("strict", FULL, (), "full", False),
        ("strict", STRONG, (), "strong", True),
        ("strict", Walls(True, 3, {**ALL, "net": False}, 20_000), (), "strong", True),
        ("unsafe", Walls(), (), "unsafe", False),
        ("unsafe", FULL, ("fork: not refused",), "unsafe", False),
        ("unsafe", FULL, (), "full", False),
    ],
)
async def test_the_level_says_what_stands_and_the_policy_what_it_is_good_for(
    policy: Any, walls: Walls, failures: tuple[str, ...], level: str, refused: bool
) -> None:
    told = Isolation(policy, walls, tried=12, failures=failures)
    assert told.level == level and bool(told.refusal()) is refused
    assert told.report()["selftest"] == f"{12 - len(failures)}/12"
    assert not refused or "docker compose up" in told.refusal()
    assert ("unsafe" in " ".join(told.degraded)) is (policy == "unsafe")


async def test_before_anything_was_tried_nothing_is_claimed() -> None:
    told = Isolation(walls=FULL)
    assert (told.level, told.report()["selftest"]) == ("none", "0/0")
    assert told.refusal()


async def test_the_report_has_the_fields_that_are_documented() -> None:
    assert list(Isolation().report()) == [
        "level",
        "policy",
        "seccomp",
        "landlock_abi",
        "landlock",
        "uid_separated",
        "namespaces",
        "memory_cap",
        "workspace_quota",
        "selftest",
        "degraded",
    ]


# The walls


async def test_a_worker_is_behind_what_the_report_says() -> None:
    async with a_pool() as pool:
        told = pool.report()
        (pid,) = await workers(pool, 1)
        worker, zygote = facts(pid), facts(pool._keeper.pid)
        assert (worker["Seccomp"], worker["NoNewPrivs"], worker["Threads"]) == ("2", "1", "1")
        assert {int(worker[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
        assert (worker["Uid"] != zygote["Uid"]) is told["uid_separated"]
        assert told["selftest"] == f"{len(ATTACKS)}/{len(ATTACKS)}"
        assert told["level"] == ("full" if told["uid_separated"] else "strong")


@as_root
async def test_no_two_workers_are_the_same_user_and_none_is_of_a_group() -> None:
    async with a_pool() as pool:
        seen = [facts(pid) for pid in await workers(pool, 5)]
        uids = {worker["Uid"].split()[0] for worker in seen}
        assert len(uids) == 5 and all(int(uid) >= 20_000 for uid in uids)
        for worker in seen:
            assert len(set(worker["Uid"].split())) == len(set(worker["Gid"].split())) == 1
            assert worker["Groups"] == "" and int(worker["CapBnd"], 16) == 0


async def test_limits_are_set_and_cannot_be_passed() -> None:
    async with a_pool() as pool:
        (pid,) = await workers(pool, 1)
        text = Path(f"/proc/{pid}/limits").read_text()
        limits = {
            row[:25].strip(): re.split(r"\s+", row[25:].strip())[:2] for row in text.splitlines()
        }
        assert limits["Max open files"] == ["64", "64"]
        assert limits["Max processes"] == limits["Max core file size"] == ["0", "0"]
        assert limits["Max file size"] == [str(100 << 20)] * 2
        assert limits["Max address space"] == [str(512 << 20)] * 2


# Who may run


async def test_without_seccomp_only_what_ships_with_the_server_runs() -> None:
    async with a_pool(without=["seccomp"]) as pool:
        assert pool.isolation.level == "none"
        with pytest.raises(BotRejected, match="docker compose up"):
            await pool.inspect(SOURCE)
        result = await pool.run(call())
        assert isinstance(result, Failed) and result.error == "NotIsolated"
        assert (await pool.inspect(SOURCE, inline=False)).class_name == "Bot"
        assert isinstance(await pool.run(call(inline=False)), Finished)


async def test_without_landlock_bots_run_and_it_is_said() -> None:
    async with a_pool(without=["landlock"]) as pool:
        assert isinstance(await pool.run(call()), Finished)
        assert pool.isolation.level == "strong"
        assert "landlock: left out on request" in pool.report()["degraded"]


@pytest.mark.parametrize("wall", ["landlock", "uid"])
async def test_strict_wants_every_wall(wall: str) -> None:
    async with a_pool(policy="strict", without=[wall]) as pool:
        with pytest.raises(BotRejected, match="strict"):
            await pool.inspect(SOURCE)
        assert isinstance(await pool.run(call(inline=False)), Finished)


async def test_unsafe_runs_anyway_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with a_pool(policy="unsafe", without=["seccomp", "landlock"]) as pool:
        assert isinstance(await pool.run(call()), Finished)
        assert pool.isolation.level == "unsafe"
        assert "BOT_ISOLATION=unsafe" in pool.report()["degraded"][-1]
    assert "isolation of bots: unsafe" in caplog.text


# The self-test


async def test_an_attack_that_is_not_refused_keeps_bots_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selftest, "ATTACKS", {**ATTACKS, "one nobody stops": None})
    async with a_pool() as pool:
        assert pool.isolation.level == "none"
        assert pool.isolation.failures == ("one nobody stops: the worker ended with 1",)
        with pytest.raises(BotRejected):
            await pool.inspect(SOURCE)


async def test_a_new_zygote_is_tried_like_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    times = 0
    examine = selftest.examine

    async def counted(fork: Any) -> Any:
        nonlocal times
        times += 1
        return await examine(fork)

    monkeypatch.setattr(selftest, "examine", counted)
    async with a_pool() as pool:
        os.kill(pool._keeper.pid, signal.SIGKILL)
        while not pool._keeper.lost:  # noqa: ASYNC110 until the loop has heard of it
            await asyncio.sleep(0)
        assert isinstance(await pool.run(call()), Finished)
        assert times == 2


async def test_a_zygote_that_dies_while_it_is_tried_leaves_nothing_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examine = selftest.examine

    async def killing(fork: Any) -> Any:
        worker = fork()
        os.kill(worker.keeper.pid, signal.SIGKILL)
        worker.drop()
        return await examine(fork)

    monkeypatch.setattr(selftest, "examine", killing)
    pool = a_pool()
    with pytest.raises(Unavailable):
        await pool.start()
    assert pool.isolation.level == "none" and pool.isolation.refusal()
    monkeypatch.undo()
    assert isinstance(await pool.run(call()), Finished)
    await pool.close()


async def test_elsewhere_than_on_linux_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable) as refused:
        await Pool().start()
    assert "docker compose up" in refused.value.hint


async def test_what_ended_hooks_is_counted() -> None:
    async with a_pool(limits=Limits(hook_seconds=0.2)) as pool:
        await pool.run(call())
        await pool.run(call(FOREVER))
        await pool.run(call("class Bot:\n    def on_init(self):\n        1 / 0\n"))
        with pytest.raises(BotRejected):
            await pool.inspect("import os\nclass Bot:\n    pass\n")
        counts = {"ran": 3, "failed": 2, "timed_out": 1, "killed": 1, "rejected": 1}
        assert pool.report()["counts"] == counts
