"""One seat that the house holds: reads, waits, moves, until it is time to leave.

Each step is one call: a move if one is due, otherwise a wait that the server ends when there is
something to do, so a game costs a request in 45 seconds while the other side thinks. After a move
the referee's answer is there, except when it takes long or a program died in between; then the
answer is waited for before the move is thought to be lost.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from mcp_multiplayer.errors import (
    ChannelClosed,
    ChannelNotFound,
    Malformed,
    MultiplayerError,
    NotMember,
    RejoinTokenInvalid,
    TooLarge,
)
from mcp_multiplayer.house.game import HELLO, Game, Json, written
from mcp_multiplayer.house.rest import LONGEST_WAIT, Rest
from mcp_multiplayer.house.strategies import Strategy, by_chance, offered

log = logging.getLogger(__name__)

Pace = tuple[float, float]
PACE: Pace = (0.3, 1.0)  #: seconds from being asked to the move, so that a person sees it
HURRY = 0.1  #: the most of the time that is left that goes by so
SILENCE = 900.0  #: seconds without a turn, after which a game is left
LINGER = 180.0  #: the same when the game is over
SPARE = 300.0  #: the same where others wait for the house
TRIES = 6  #: moves that are tried before the house gives up a game that refuses them all
ANSWER = 15.0  #: seconds that a referee may take for an answer
BREATH = 0.5  #: seconds between two waits that brought nothing: a flood costs two calls a second
PAGE = 500

OUT = (NotMember, ChannelClosed, ChannelNotFound, RejoinTokenInvalid)


class Player:
    """Plays one seat; `run` ends when the seat is given up or gone.

    ``is_alone`` says of the labels that are taken whether all of them are the house's.
    """

    def __init__(
        self,
        rest: Rest,
        channel_id: str,
        label: str,
        strategy: Strategy,
        is_alone: Callable[[set[str]], bool],
        *,
        pace: Pace = PACE,
        now: Callable[[], float] = time.monotonic,
        of_day: Callable[[], float] = time.time,
    ) -> None:
        self._rest = rest
        self._channel_id = channel_id
        self._label = label
        self._strategy = strategy
        self._is_alone = is_alone
        self._pace = pace
        self._now = now
        self._time = of_day  #: in which deadlines are told
        self._cursor = 0
        self._view: Json = {}
        self._game = Game(label, "", {})
        self._steps, self._stepped = 0, now()  #: `Game.steps`, and when it last grew
        self._answer_until = 0.0

    async def run(self) -> None:
        """Play until it is time to leave, and leave."""
        try:
            await self._sit_down()
            while await self._step():
                pass
            await self._call("leave_channel")
        except OUT:
            log.info("a seat of the house is gone")

    @property
    def is_spare(self) -> bool:
        """Whether somebody who waits for the house may have its place here: the game is over, or
        nothing has happened for a while."""
        return self._view.get("status") == "ended" or self._now() - self._stepped > SPARE

    async def _call(self, operation: str, **arguments: Any) -> Json:
        return await self._rest.call(
            operation, channel_id=self._channel_id, seat=self._label, **arguments
        )

    async def _sit_down(self) -> None:
        """Read everything that was said so far, and say who sits here if that was not said yet."""
        self._view = (await self._call("get_channel_info"))["view"]
        bot = self._view["bots"][0]
        self._game = Game(self._label, bot["bot_id"], bot["params"])
        await self._take(await self._call("sync_messages", cursor=0, timeout_ms=0, limit=PAGE))
        self._answer_until = self._now() + ANSWER
        if not self._game.greeted:
            text = f"HOUSE: this seat is played by the server's own program. It {self._level()}."
            await self._post({"type": HELLO, "text": text}, key="hello")

    def _level(self) -> str:
        return self._strategy.level

    async def _take(self, answer: Json) -> None:
        """Note what an answer says, and read on while there is more."""
        while True:
            self._view = answer.get("view") or self._view
            for message in answer["messages"]:
                self._game.hear(message)
            self._cursor = answer["cursor"]
            if not answer["more"]:
                return
            answer = await self._call(
                "sync_messages", cursor=self._cursor, timeout_ms=0, limit=PAGE
            )

    async def _post(self, body: Any, *, key: str, to: list[str] | None = None) -> Json:
        answer = await self._call(
            "post_message",
            body=body,
            to=to,
            cursor=self._cursor,
            idempotency_key=f"house {key}",
            limit=PAGE,
        )
        said = {"text": body} if isinstance(body, str) else body
        self._game.hear({"id": answer["msg_id"], "sender": self._label, "body": said})
        self._answer_until = self._now() + ANSWER
        await self._take(answer)
        return answer

    async def _wait(self, until: str, seconds: float = LONGEST_WAIT) -> None:
        """Wait for something to do."""
        answer = await self._call(
            "sync_messages",
            cursor=self._cursor,
            until=until,
            timeout_ms=int(1000 * max(1.0, min(seconds, LONGEST_WAIT))),
            limit=PAGE,
        )
        before = self._game.steps
        await self._take(answer)
        if self._game.steps == before:
            await asyncio.sleep(BREATH)

    # What is to be done

    async def _step(self) -> bool:
        """Do one thing; False when there is nothing more to do here but leave."""
        if self._game.steps != self._steps:
            self._steps, self._stepped = self._game.steps, self._now()
        silent = self._now() - self._stepped
        status, turn = self._view["status"], self._view["turn"]
        if status == "closed" or silent > (LINGER if status == "ended" else SILENCE):
            return False
        if status == "ended":
            return await self._after_the_end(LINGER - silent)
        if turn is None or self._label not in turn["players"]:
            await self._wait("my_turn", SILENCE - silent + 1)
        elif not self._game.answered and self._now() < self._answer_until:
            await self._wait("any", self._answer_until - self._now())
        else:
            return await self._move(turn)
        return True

    async def _after_the_end(self, left: float) -> bool:
        """Play again when the others ask; stay for a while."""
        game = self._game
        taken = {
            slot["label"]
            for slot in self._view["slots"]
            if slot["kind"] == "invite" and slot["state"] == "taken"
        }
        if self._is_alone(taken):
            return False
        if game.rematch - {self._label} and not game.tried:
            await self._post("rematch", key=f"rematch {game.ended}")
        else:
            await self._wait("any", left + 1)
        return True

    async def _move(self, turn: Json) -> bool:
        """Make a move, another one than those that were refused; False when even giving up was."""
        game = self._game
        count, giving_up = len(game.tried), len(game.tried) == TRIES
        if count > TRIES:
            log.warning("a referee takes no move; the house leaves")
            return False
        body = self._strategy.gives_up if giving_up else self._choose(turn["expect"])
        if not count:
            await self._think(turn)
        try:
            to = None if giving_up else turn["to"]
            answer = await self._post(body, key=f"{game.turn}.{count}", to=to)
        except (Malformed, TooLarge) as refused:
            log.warning("a move was not taken: %s", refused.code)
            game.tried.append(written(body))
        else:
            game.answered = game.answered or not answer.get("pending")
        return True

    def _choose(self, expect: Any) -> Any:
        """What the strategy says, or something else that is expected if that was refused."""
        game, strategy, bodies = self._game, self._strategy, offered(expect)
        try:
            if bodies and not game.tried and (chosen := strategy.choose(game, bodies)) is not None:
                return chosen
        except Exception:  # whatever is wrong with it, the other side waits for a move
            log.warning("a strategy failed", exc_info=True)
        avoided = {strategy.gives_up, *strategy.avoids}
        wanted = [one for one in bodies if not (isinstance(one, str) and one in avoided)]
        fresh = [one for one in wanted or bodies if written(one) not in game.tried]
        return by_chance(game, fresh or wanted or bodies or [strategy.gives_up])

    async def _think(self, turn: Json) -> None:
        """Take as long as a person needs to see that it is somebody else's turn."""
        seconds = secrets.SystemRandom().uniform(*self._pace)
        if turn["deadline"] is not None:
            left = datetime.fromisoformat(turn["deadline"]).timestamp() - self._time()
            seconds = min(seconds, max(0.0, HURRY * left))
        await asyncio.sleep(seconds)


async def leave(rest: Rest, channel_id: str, label: str) -> None:
    """Give up a seat that cannot be played, if it can be given up."""
    try:
        await rest.call("leave_channel", channel_id=channel_id, seat=label)
    except MultiplayerError as refused:
        log.info("a seat was not given up: %s", refused.code)
