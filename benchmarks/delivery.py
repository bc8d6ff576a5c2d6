"""From the start of a post until another member's waiting sync_messages has returned.

Compared with how long a post takes its sender when nobody waits, round by round.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks import rooms
from benchmarks.eras import Era
from benchmarks.load import percentile
from benchmarks.stage import Json, Stage

ROUNDS = 400
SETTLE = 0.004  #: seconds for a poll to be waiting before the post


async def delivery(stage: Stage) -> list[Json]:
    return [await _rounds(stage, era) for era in stage.eras]


async def _rounds(stage: Stage, era: Era) -> Json:
    speaker, listener = await rooms.sessions(stage.pair.port, era, stage.accounts[:2])
    channel = (await rooms.seated([speaker, listener])).channel_id
    words = {"channel_id": channel, "body": "hello"}
    cursor = (await speaker.data("post_message", words))["msg_id"]
    alone, posts, deliveries = [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        cursor = (await speaker.data("post_message", words))["msg_id"]
        alone.append(time.perf_counter() - began)
        asked = {"channel_id": channel, "cursor": cursor, "timeout_ms": 10_000}

        async def listen(asked: Json = asked) -> float:
            heard = await listener.data("sync_messages", asked)
            assert len(heard["messages"]) == 1, heard
            return time.perf_counter()

        waiting = asyncio.create_task(listen())
        await asyncio.sleep(SETTLE)
        began = time.perf_counter()
        cursor = (await speaker.data("post_message", words))["msg_id"]
        posts.append(time.perf_counter() - began)
        deliveries.append(await waiting - began)
    speaker.close()
    listener.close()
    alone_p50, delivery_p50 = percentile(alone, 50), percentile(deliveries, 50)
    return {
        "era": era,
        "ratio": delivery_p50 / alone_p50,
        "post_p50": alone_p50,
        "post_p50_while_heard": percentile(posts, 50),
        "delivery_p50": delivery_p50,
        "delivery_p99": percentile(deliveries, 99),
    }
