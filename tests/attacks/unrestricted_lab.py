"""A pool whose bots are ordinary Python, and what they come to, as JSON. Run by
test_language_off.py as a program: ``python unrestricted_lab.py WITHOUT``.

The language layer is switched off where workers are forked: no source is refused or rewritten, and
its hooks have Python's own builtins and imports. All else is the server's own: pool, zygote, jail,
host calls. Beside it stands something that could be touched (`native_lab.Server`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult, Limits
from mcp_multiplayer.sandbox.host import forkserver
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.drbg import block
from tests.attacks import native, native_lab
from tests.attacks.test_bot_gadgets import GADGETS, source
from tests.attacks.test_bot_hostility import HOSTILE

#: In the zygote, before it is ready.
OFF = """
import builtins
import tests.attacks.native_lab
from mcp_multiplayer.sandbox.language import grammar, mistakes
from mcp_multiplayer.sandbox.worker import compiler, hook

class Everything:
    def __contains__(self, cls):
        return cls is not object

mistakes.find = lambda *_: []
compiler._restricted = lambda tree, found: compile(tree, grammar.FILENAME, "exec")
hook.bot_globals = lambda *_: {"__builtins__": builtins, "__name__": "bot"}
hook.bot_classes = Everything()
"""
#: Runs a row of `tests.attacks.native`.
NATIVE = """
import os
from tests.attacks import native_lab

class Native:
    def __init__(self, ctx, params):
        names = dict(params["names"], UNIX=bytes.fromhex(params["names"]["UNIX"]))
        vars(native_lab).update(names, ZYGOTE=os.getppid())
        self.ctx, self.row = ctx, params["row"]

    def on_init(self):
        self.ctx.post("bot", native_lab.attempt(self.row))
"""
#: Looks through all memory near any object for blocks of the dice, given by their hashes: as they
#: are, and as hexadecimal text.
SEARCHER = """
import ctypes, gc, hashlib, os

class Searcher:
    def __init__(self, ctx, params):
        self.ctx, self.hashes = ctx, params["hashes"]

    def on_init(self):
        kept = os.urandom(32)  # of the dice, as all chance is
        found, left, pages = {}, gc.get_objects(), set()
        while left:
            new = []
            for thing in left:
                if id(thing) not in found:
                    found[id(thing)] = thing
                    pages.add(id(thing) >> 12)
                    if type(thing) is bytes:
                        pages.add(id(thing) + 32 >> 12)  # where its bytes begin
                    new += gc.get_referents(thing)
            left = new
        seen = set()
        for page in pages:
            data = ctypes.string_at(page << 12, 4096)
            for at in range(0, 4096, 8):
                for size in (32, 64):
                    digest = hashlib.sha256(data[at : at + size]).hexdigest()
                    if digest in self.hashes:
                        seen.add(self.hashes[digest])
        self.ctx.post("bot", " ".join(sorted(seen)))
"""
KEY = b"\7" * 32
SECONDS = 1.0


def said(result: HookResult) -> str:
    """What a bot said, or how it ended."""
    if isinstance(result, Failed):
        return "SIGSYS" if "ended with -31" in result.text else f"{result.error}: {result.text}"
    return " ".join(str(one.body.get("text", one.body)) for one in result.said)


async def attack(pool: Pool, told: dict[str, Any]) -> None:
    """Every row, against the server and then against another bot's worker."""
    names = {name: vars(native_lab)[name] for name in ("PORT", "DIR", "SECRET", "SERVER")}
    names |= {"UNIX": native_lab.UNIX.hex(), "SIZE": native_lab.SIZE}  # type: ignore[attr-defined]
    names["ADDRESS"] = native_lab.ADDRESS

    async def attempt(row: str, **more: Any) -> str:
        params = {"names": names | more, "row": row}
        return said(await pool.run(HookCall(NATIVE, "on_init", params=params)))

    told["switched"] = await attempt("os.getpid() and 'off'")
    told["outcomes"] = {name: await attempt(row) for name, (row, _) in native.rows().items()}
    told["neighbours"] = {
        name: await attempt(row, SERVER=neighbour(pool))
        for name, (row, _) in native.rows().items()
        if "SERVER" in row
    }


def neighbour(pool: Pool) -> int:
    """The newest worker: the next but one to be used."""
    assert pool._keeper is not None
    children = Path(f"/proc/{pool._keeper.pid}/task/{pool._keeper.pid}/children").read_text()
    return int(children.split()[-1])


async def search(pool: Pool) -> str:
    """Which of the dice lie in a worker that drew once."""
    hidden = {"key": KEY, "next": block(KEY, 1), "told": block(KEY, 0)}
    hashes = {
        hashlib.sha256(form).hexdigest(): name
        for name, value in hidden.items()
        for form in (value, value.hex().encode())
    }
    call = HookCall(SEARCHER, "on_init", params={"hashes": hashes}, key=KEY)
    return said(await pool.run(call))


async def everything(without: list[str]) -> dict[str, Any]:
    server = native_lab.Server()
    first, last = forkserver.PROGRAM.strip().rsplit("\n", 1)
    forkserver.PROGRAM = f"{first}\n{OFF}\n{last}"
    told: dict[str, Any] = {}
    async with Pool(limits=Limits(hook_seconds=SECONDS), without=without) as pool:
        told["level"] = pool.isolation.level
        await attack(pool, told)
        corpus = {name: source(text) for name, text in GADGETS.items()}
        corpus |= {name: text for name, (text, _) in HOSTILE.items()}
        told["corpus"] = {
            name: said(await pool.run(HookCall(text, "on_init"))) for name, text in corpus.items()
        }
        told["lost"] = pool._keeper is None or pool._keeper.lost
    async with Pool(limits=Limits(hook_seconds=60), without=without) as patient:
        told["dice"] = await search(patient)
    told["effects"] = server.effects()
    server.clear()
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(everything(json.loads(sys.argv[1])))))
