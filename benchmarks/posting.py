"""post_message through proxy and server, against a tool that does nothing on a bare server.

All sessions of a room post as fast as they are answered. ``post`` says only what and
where; ``turn`` also brings the cursor, as agents do: then a repeated call is recognised,
which costs an index row. ``echo`` has a player's referee that answers every post from its sandbox,
where it runs twice; ``referee`` has one that is shipped and runs once.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from statistics import median

from benchmarks import rooms
from benchmarks.eras import JSON_TOO, Session
from benchmarks.load import RUNS, Call, drive, middle
from benchmarks.servers import Pair, Process
from benchmarks.stage import Json, Stage

ECHO = """
class Echo:
    def on_message(self, msg):
        self.ctx.post("bot", {"type": "echo", "of": msg["body"]})
"""


async def post(stage: Stage) -> list[Json]:
    return await _compared(stage, cursor=False)


async def turn(stage: Stage) -> list[Json]:
    return await _compared(stage, cursor=True)


async def echo(stage: Stage) -> list[Json]:
    return await _compared(stage, cursor=False, bot_code=ECHO)


async def referee(stage: Stage) -> list[Json]:
    return await _compared(stage, cursor=False, bot_preset="GuessBot")


async def _compared(stage: Stage, *, cursor: bool, **bot: str) -> list[Json]:
    found = []
    for era in stage.eras:
        for count in stage.clients:
            ours = await rooms.sessions(stage.pair.port, era, stage.accounts[:count])
            theirs = await rooms.sessions(stage.bare.port, era, [""] * count)
            room = await rooms.seated(ours, **bot)
            found.append(
                {"era": era, "clients": count}
                | await _interleaved(
                    (stage.pair, [_poster(one, room.channel_id, cursor) for one in ours]),
                    (stage.bare, [_poster(one, room.channel_id, cursor) for one in theirs]),
                    stage.seconds,
                )
            )
            for one in (*ours, *theirs):
                one.close()
    return found


async def _interleaved(
    ours: tuple[Pair, list[Call]], theirs: tuple[Process, list[Call]], seconds: float
) -> Json:
    """Drive both in turn, RUNS times after a short warm-up; compare run by run."""
    measured = []
    for target, calls in (ours, theirs):
        await drive(calls, seconds / 4, target.cpu)
    for _ in range(RUNS):
        measured.append(
            [await drive(calls, seconds, target.cpu) for target, calls in (ours, theirs)]
        )
    return {
        "ratio": median(mine.per_second / bare.per_second for mine, bare in measured),
        "ours": asdict(middle([mine for mine, _ in measured])),
        "bare": asdict(middle([bare for _, bare in measured])),
    }


def _poster(session: Session, channel_id: str, cursor: bool) -> Call:
    if not cursor:
        return partial(_post, session, channel_id)
    last = [0]
    return partial(_take_turn, session, channel_id, last)


async def _post(session: Session, channel_id: str, number: int) -> None:
    body = f"guess {number % 100}"
    await session.call("post_message", {"channel_id": channel_id, "body": body})


async def _take_turn(session: Session, channel_id: str, last: list[int], number: int) -> None:
    arguments = {"channel_id": channel_id, "body": f"guess {number}", "cursor": last[0]}
    result = await session.call("post_message", arguments, JSON_TOO)
    last[0] = (result.get("structuredContent") or {}).get("cursor", number)
