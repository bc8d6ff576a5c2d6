# ruff: noqa: E501 the rows are read as a table
"""Chance that a library takes for a referee, which nobody had counted.

The boundary of a form, a nonce, a jitter: fixed by the server alone while the verifier said "No
dice were drawn". All of it is a draw of the hook now, from dice in which the members have a say.
Stopped by: sandbox/worker/rng.py, sandbox/worker/normalize.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.replay import Replayer
from tests.verifier.games import Table, codes, reforge, states, table, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[2]

#: Lines that return what a library drew, and how many blocks that takes.
DRAWING = {
    "the boundary of a mail": (
        "from email.mime.multipart import MIMEMultipart\nreturn MIMEMultipart().as_string()",
        1,
    ),
    "that of a mail read from text": (
        "from email import message_from_string\nm = message_from_string('Content-Type: multipart/mixed\\n\\nx')\nm.set_payload([])\nreturn m.as_string()",
        1,
    ),
    "that of a message with an attachment": (
        "from email.message import EmailMessage\nm = EmailMessage()\nm.set_content('x')\nm.add_attachment('y')\nreturn m.as_string()",
        1,
    ),
    "the boundary of a form": (
        "import requests\nreturn requests.Request('POST', 'http://a', files={'f': 'x'}).prepare().headers['Content-Type']",
        1,
    ),
    "a retry's jitter": (
        "from urllib3 import Retry\nr = Retry(9, backoff_factor=0.1, backoff_jitter=1.0)\nfor _ in range(3): r = r.increment('GET', '/', error=OSError())\nreturn r.get_backoff_time()",
        1,
    ),
    "a generator begun anew without a seed": (
        "import random\nr = random.Random(7)\nr.seed()\nreturn r.random()",
        1,
    ),
    "a secret": ("import secrets\nreturn secrets.SystemRandom().random()", 1),
    "a name by chance": ("import uuid\nreturn str(uuid.uuid4())", 1),
}


def source(lines: str) -> str:
    return (
        "class Bot:\n    def on_message(self, msg):\n        self.ctx.post('bot', {'v': self.f()})\n"
        f"    def f(self):\n{textwrap.indent(lines, ' ' * 8)}\n"
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> Any:
    async with table(twice=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def jail() -> Any:
    with Replayer() as replayer:
        yield replayer


@pytest.mark.parametrize("name", DRAWING)
async def test_what_a_library_draws_is_a_draw_that_the_host_makes(server: Table, name: str) -> None:
    lines, blocks = DRAWING[name]
    pool: Pool = server.pool
    calls = [HookCall(source(lines), "on_message", ({},), key=bytes([n]) * 32) for n in (1, 1, 2)]
    results: list[Any] = [await pool.run(call) for call in calls]
    assert not [result.text for result in results if isinstance(result, Failed)]
    one, again, other = (result.said[0].body["v"] for result in results)
    assert one == again != other
    assert {result.draws for result in results} == {blocks}


async def test_a_boundary_is_a_draw_in_the_record_and_the_verifier_says_so(
    server: Table, jail: Executor
) -> None:
    lines = DRAWING["the boundary of a mail"][0]
    code = source(lines).replace(
        "class Bot:", "class Bot:\n    def on_leave(self, p): self.ctx.end({'winners': []})", 1
    )
    game = await (await server.open(code=code)).seated()
    await game.say("alice", "send it")
    early = game.bundle()
    (run,) = early.of("run")
    assert run["rng"][1:] == [0, 1] and early.of("attach")[0]["reach"]["dice"]
    checked = verify(early, jail)
    assert "I_SEED" in codes(checked) and states(checked)["DICE"] == "NOT PROVEN"
    assert not [one for one in checked.findings.found if one.violated]
    await game.leave("bob")
    checked = verify(game.bundle(), jail)
    assert (states(checked)["RULES"], states(checked)["DICE"]) == ("PROVEN", "PROVEN")
    assert [draw.count for draw in checked.walked.draws] == [1]


async def test_a_server_that_picked_the_boundary_itself_is_caught(
    server: Table, jail: Executor
) -> None:
    code = source(DRAWING["the boundary of a mail"][0]).replace(
        "class Bot:", "class Bot:\n    def on_leave(self, p): self.ctx.end({'winners': []})", 1
    )
    game = await (await server.open(code=code)).seated()
    await game.say("alice", "send it")
    await game.leave("bob")
    forged = game.bundle()
    run = forged.of("run")[0]
    words = run["out"][0]["b"]["v"]
    digits = words.partition("===============")[2][:19]
    run["out"][0]["b"]["v"] = words.replace(digits, "1234567890123456789")
    assert digits.isdigit() and "E_RUN_OUT" in violations(verify(reforge(forged), jail))


async def test_what_could_not_be_executed_is_not_said_to_have_drawn_nothing(
    server: Table, jail: Executor
) -> None:
    """Its source shows no dice, and only the server says that it drew none."""
    code = source("return 1").replace(
        "class Bot:", "class Bot:\n    def on_leave(self, p): self.ctx.end({'winners': []})", 1
    )
    game = await (await server.open(code=code)).seated()
    await game.say("alice", "one")
    await game.leave("bob")
    forged = game.bundle()
    assert not forged.of("attach")[0]["reach"]["dice"]
    assert states(verify(forged, jail))["DICE"] == "PROVEN"
    forged.of("run")[0].update(res="killed:TimeLimit", out=[])
    checked = verify(reforge(forged), jail)
    assert "I_RNG_UNCHECKED" in codes(checked) and not violations(checked)
    assert states(checked)["DICE"] == "NOT PROVEN"


#: Whatever of the machine's chance and time a module still holds, in a process made ready for hooks.
LEFT = """
import datetime, json, os, random, sys, time, types
names = [n for n in random.__all__ if getattr(getattr(random, n), "__self__", None) is random._inst]
clocks = ["time", "monotonic", "perf_counter", "process_time", "thread_time"]
clocks += [n + "_ns" for n in clocks] + ["sleep", "ctime", "gmtime", "localtime", "asctime", "strftime"]
real = {id(v): n for n, v in [("urandom", os.urandom), ("datetime", datetime.datetime), ("date", datetime.date),
    *((n, getattr(random, n)) for n in names), *((n, getattr(time, n)) for n in clocks)]}
from mcp_multiplayer.sandbox.language import modules
from mcp_multiplayer.sandbox.worker import normalize
modules.preload()
normalize.install()
found = sorted(f"{name}.{key}" for name, module in sys.modules.items() if isinstance(module, types.ModuleType)
    and not name.startswith(("mcp_multiplayer.", "__main__")) for key, value in vars(module).items() if id(value) in real)
print(json.dumps([found, len(real), len(sys.modules)]))
"""


async def test_no_module_keeps_the_machines_own_chance_or_clock() -> None:
    ran = subprocess.run(  # noqa: ASYNC221 nothing else runs here
        [sys.executable, "-c", LEFT],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    found, looked_for, modules = json.loads(ran.stdout)
    assert found == [] and looked_for > 35 and modules > 300
