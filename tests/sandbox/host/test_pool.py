# ruff: noqa: ASYNC110, E501 waits on /proc; the rows are read as a table
"""Processes come and go as promised: deadline, crash, death of the zygote, death of the host."""

import asyncio
import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.errors import BotRejected, Unavailable
from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits
from mcp_multiplayer.sandbox.host import forkserver as keeper_module
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.sandbox.host.load import Load
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.cassette import Recording

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[3]


def a_pool(**kwargs: Any) -> Any:
    """Untyped, because these tests look inside."""
    return Pool(**kwargs)


def bot(*body: str) -> str:
    lines = "".join(f"        {line}\n" for line in body)
    return f"class Bot:\n    def on_init(self):\n{lines}"


#: In the zygote: whoever should end goes on instead.
STAYS = """
from mcp_multiplayer.sandbox.worker import serve
serve.os = type("Os", (), {**vars(serve.os), "_exit": staticmethod(lambda status: sum(iter(int, 1)))})
"""
HELLO = bot('self.ctx.post("bot", "hello")')
FOREVER = bot("sum(iter(int, 1))  # a loop of C's, without ticks")

MUCH = 110 << 20
LARGE = bot("x = [b'x' * (10 << 20) for _ in range(11)]", "sum(iter(int, 1))")


@pytest_asyncio.fixture(loop_scope="module")
async def hasty() -> AsyncIterator[Pool]:
    made = Pool(limits=Limits(hook_seconds=0.3), spares=1)
    await made.start()
    yield made
    await made.close()


def ended(pid: int, seconds: float = 10.0) -> bool:
    """True once a process, anybody's child, is gone; waits for it without polling."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(fd)


def pages(pid: int) -> int:
    """Of memory that a process has; none if it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 0


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


@pytest.mark.parametrize(
    "source",
    [
        FOREVER,
        bot("import time", "x = 10 ** 10 ** 9"),
        bot("import re", 're.match("(a+)+$", "a" * 40 + "b")'),
        bot("import hashlib", 'hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10 ** 9)'),
        bot("try:", "    sum(iter(int, 1))", "finally:", "    sum(iter(int, 1))"),
    ],
)
async def test_a_hook_that_does_not_end_is_killed_at_its_deadline(hasty: Any, source: str) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    result = await hasty.run(HookCall(source, "on_init"))
    assert result == Failed("TimeLimit", text="the hook took longer than 0.3 seconds", killed=True)
    assert 0.25 < loop.time() - start < 2.0
    assert isinstance(await hasty.run(HookCall(HELLO, "on_init")), Finished)


async def test_a_killed_worker_is_really_gone(hasty: Any) -> None:
    while not (workers := children(hasty._keeper.pid)):
        await asyncio.sleep(0)
    assert (await hasty.run(HookCall(FOREVER, "on_init"))).killed
    assert await asyncio.to_thread(ended, workers[0])


async def test_a_cancelled_call_kills_its_worker_and_frees_its_slot() -> None:
    async with a_pool(spares=0, at_once=1) as pool:
        running = asyncio.create_task(pool.run(HookCall(FOREVER, "on_init")))
        while not children(pool._keeper.pid):
            await asyncio.sleep(0)
        (worker,) = children(pool._keeper.pid)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await asyncio.to_thread(ended, worker)
        assert isinstance(await pool.run(HookCall(HELLO, "on_init")), Finished)


async def test_no_more_run_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_pool(spares=0, at_once=2, limits=Limits(hook_seconds=0.3)) as pool:
        most = 0
        fork = pool._fork

        def counted(keeper: Any) -> Any:
            nonlocal most
            worker = fork(keeper)
            most = max(most, len(keeper._deaths))
            return worker

        monkeypatch.setattr(pool, "_fork", counted)
        calls = [pool.run(HookCall(FOREVER if i % 2 else HELLO, "on_init")) for i in range(6)]
        results = await asyncio.gather(*calls)
        assert [type(r) for r in results] == [Finished, Failed] * 3
        assert most <= 2


async def test_the_kernels_count_of_a_hooks_cpu_reaches_who_shares_workers_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long it took on a busy machine, and also when the host has killed it."""
    busy = bot("sum(range(40_000_000))", *10 * ["sum(range(1000))"])
    spent: dict[str, float] = {}
    async with a_pool(spares=0, at_once=1, limits=Limits(hook_seconds=60)) as pool:
        give = pool._shares.give

        def noted(place: Any, cpu: float) -> None:
            spent[place.owner.account] = cpu
            give(place, cpu)

        monkeypatch.setattr(pool._shares, "give", noted)
        for name, source in (("hello", HELLO), ("busy", busy)):
            await pool.run(HookCall(source, "on_init"), owner=Owner(name))
        await pool.run(HookCall(HELLO, "on_init"))  # the last one has ended
        assert 0 < 2 * spent["hello"] < spent["busy"]


async def test_many_calls_at_once_get_each_its_own_answer(pool: Any) -> None:
    def echo(n: int) -> HookCall:
        return HookCall(
            "class E:\n def on_join(self, who):\n  self.ctx.post('bot', who)", "on_join", (f"p{n}",)
        )

    results = await asyncio.gather(*(pool.run(echo(n)) for n in range(40)))
    assert [r.said[0].body["text"] for r in results] == [f"p{n}" for n in range(40)]


async def test_nothing_is_carried_from_one_hook_to_the_next(pool: Any) -> None:
    source = (
        "import json\nclass B:\n    n = 0\n    def on_init(self):\n        B.n += 1\n"
        "        json.nothing = 1\n"
    )
    for _ in range(2):
        result = await pool.run(HookCall(source, "on_init"))
        assert isinstance(result, Failed) and result.error == "AttributeError"
    source = source.replace("json.nothing = 1", "self.ctx.post('bot', {'n': B.n})")
    said = [(await pool.run(HookCall(source, "on_init"))).said[0].body for _ in range(3)]
    assert said == [{"n": 1}] * 3


async def test_a_memory_bomb_is_a_memory_limit(pool: Any) -> None:
    for line in ("x = [0] * 10 ** 9", "x = 'a' * 10 ** 12", "x = bytearray(1 << 30)"):
        result = await pool.run(HookCall(bot(line), "on_init"))
        assert isinstance(result, Failed) and result.error == "MemoryLimit"
        assert result.line == 3 and result.killed


async def test_endless_recursion_is_told_with_its_line(pool: Any) -> None:
    result = await pool.run(HookCall(bot("f = lambda: f()", "f()"), "on_init"))
    assert result.error == "RecursionError" and result.line == 3
    assert "hint" in result.text


async def under_way(pool: Any, source: str = FOREVER) -> asyncio.Task[Any]:
    """A hook without end that has its worker."""
    recording = Recording()
    call = HookCall(source, "on_init")
    running = asyncio.create_task(pool.run(call, recording=recording))
    await recording.begun.wait()
    return running


async def test_the_zygote_dying_fails_calls_under_way_and_the_next_call_works() -> None:
    async with a_pool() as pool:
        zygote = pool._keeper.pid
        running = await under_way(pool)
        workers = children(zygote)
        os.kill(zygote, signal.SIGKILL)
        result = await running
        assert isinstance(result, Failed) and (result.error, result.killed) == ("Crashed", True)
        assert all([await asyncio.to_thread(ended, pid) for pid in workers])
        assert isinstance(await pool.run(HookCall(HELLO, "on_init")), Finished)
        assert pool._keeper.pid != zygote


async def test_when_it_is_closed_no_process_is_left_and_further_calls_are_refused() -> None:
    """Also not one whose memory the kernel takes its time to clear away."""
    async with a_pool(spares=3) as pool:
        running = await under_way(pool, LARGE)
        zygote = pool._keeper.pid
        while max(pages(pid) for pid in children(zygote)) * resource.getpagesize() < MUCH:
            await asyncio.sleep(0)
        pids = [zygote, *children(zygote)]
    assert [pid for pid in pids if not ended(pid, 0)] == []
    assert (await running).error == "Crashed"
    with pytest.raises(Unavailable):
        await pool.run(HookCall(HELLO, "on_init"))


async def after_a_rush(pool: Any) -> None:
    """Forget the rush, and wait until the workers that it had ready are gone."""
    pool._load = Load()
    pool._after_a_rush()
    while len(pool._keeper._deaths) > pool.spares:
        await asyncio.sleep(0)


async def test_workers_that_are_ready_follow_the_load() -> None:
    async with a_pool(spares=1, at_once=4) as pool:
        assert len(pool._ready) == 1
        running = [await under_way(pool) for _ in range(4)]
        assert len(pool._ready) == 4
        for hook in running:
            hook.cancel()
        await after_a_rush(pool)
        assert len(pool._ready) == 1 and pool._trim is None


@pytest.mark.long
@pytest.mark.parametrize("source", [HELLO, "import requests\n" + HELLO], ids=["plain", "network"])
async def test_fifty_thousand_hooks_leave_nothing_behind(source: str) -> None:
    """A hundred thousand together: no descriptor, no process, no memory."""
    call = HookCall(source, "on_init")

    def held(pool: Any) -> tuple[int, int, int, int]:
        """Descriptors and KB of this process; children and KB of the zygote."""
        pid = pool._keeper.pid
        rss = [
            int(Path(f"/proc/{one}/statm").read_text().split()[1]) * 4 for one in (os.getpid(), pid)
        ]
        return len(os.listdir("/proc/self/fd")), rss[0], len(children(pid)), rss[1]

    async with a_pool(spares=2) as pool:
        for _ in range(1000):
            await pool.run(call)
        await after_a_rush(pool)
        before = held(pool)
        for _ in range(50_000 // 100):
            results = await asyncio.gather(*(pool.run(call) for _ in range(100)))
            assert all(isinstance(result, Finished) for result in results)
        await after_a_rush(pool)
        after = held(pool)
        assert (after[0], after[2]) == (before[0], 2)
        assert after[1] - before[1] < 4096 and after[3] - before[3] < 1024, (before, after)


HOST = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[1])
from mcp_multiplayer.sandbox.call import HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.host.fair_queue import Owner

async def main():
    pool = Pool()
    await pool.start()
    asyncio.create_task(pool.run(HookCall("class B:\\n def on_init(self):\\n  sum(iter(int, 1))", "on_init")))
    while len(pool._keeper._deaths) < 3:
        await asyncio.sleep(0)
    with open(f"/proc/{pool._keeper.pid}/task/{pool._keeper.pid}/children") as kids:
        while len(kids.read().split()) < 3:
            kids.seek(0)
        kids.seek(0)
        print(pool._keeper.pid, kids.read(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_host_killed_outright_leaves_nothing_behind() -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", HOST, str(ROOT)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 4
    assert all([await asyncio.to_thread(ended, pid) for pid in pids])


async def test_a_machine_too_busy_to_read_a_source_rejects_no_source_of_ours() -> None:
    source = "class A:\n def on_init(self): pass"
    async with Pool() as pool:
        pool.limits = Limits(hook_seconds=0.0)
        with pytest.raises(BotRejected, match="too long"):
            await pool.inspect(source)
        with pytest.raises(Unavailable):
            await pool.inspect(source, inline=False)


async def test_a_zygote_that_cannot_start_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "PROGRAM", "raise SystemExit(3)")
    pool = Pool()
    with pytest.raises(Unavailable, match="could not be started"):
        await pool.start()
    await pool.close()


#: What a zygote finds when it begins; later nobody but root may look at it.
FOUND = """
import json, os
at = "/proc/self/fd"
links = [os.readlink(f"{at}/{fd}") for fd in os.listdir(at) if fd != "2" and os.path.exists(f"{at}/{fd}")]
open("@TO@", "w").write(json.dumps([sorted(os.environ), links]))
"""


async def test_the_zygote_has_no_secret_of_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ACCESS_PASSCODE", "xyzzy")
    told = FOUND.replace("@TO@", str(tmp_path / "found"))
    monkeypatch.setattr(keeper_module, "PROGRAM", told + keeper_module.PROGRAM)
    async with a_pool(spares=0):
        names, links = json.loads((tmp_path / "found").read_text())
    assert names == ["HOME", "LANG", "PYTHONHASHSEED", "TZ"]
    assert sum(link.startswith("socket:") for link in links) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestWarning")
def test_it_runs_on_uvloop_as_well() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def play() -> list[type]:
        pool = Pool(limits=Limits(hook_seconds=0.3))
        await pool.start()
        results = [await pool.run(HookCall(s, "on_init")) for s in (HELLO, FOREVER, HELLO)]
        await pool.close()
        return [type(r) for r in results]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(play()) == [Finished, Failed, Finished]


async def test_a_worker_that_answers_and_does_not_end_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer counts all the same."""
    program = keeper_module.PROGRAM.replace("main(told)", f"{STAYS}\nmain(told)")
    monkeypatch.setattr(keeper_module, "PROGRAM", program)
    async with a_pool(spares=0) as pool:
        assert isinstance(await pool.run(HookCall(HELLO, "on_init")), Finished)
        deaths = await asyncio.gather(*pool._keeper._deaths.values())  # the compiler's, too
        assert {death.status for death in deaths} == {-signal.SIGKILL}


#: As many as the self-test has at once, and one more.
FEW = 18


async def test_no_worker_has_a_user_of_another_zygote(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no user is left there is no worker, and then no hook."""
    few = f"from mcp_multiplayer.sandbox.worker import zygote\nzygote.UIDS = {FEW}\n"
    program = keeper_module.PROGRAM.replace("main(told)", f"{few}main(told)")
    monkeypatch.setattr(keeper_module, "PROGRAM", program)
    async with a_pool(spares=0, at_once=32) as pool:
        await pool.inspect(HELLO)
        await pool.inspect(FOREVER)
        while pool._keeper._deaths:
            await asyncio.sleep(0)
        running = [await under_way(pool) for _ in range(FEW)]
        with pytest.raises(Unavailable):
            await pool.run(HookCall(HELLO, "on_init"))
        for hook in running:
            hook.cancel()
