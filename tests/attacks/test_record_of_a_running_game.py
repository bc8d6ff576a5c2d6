"""A player is talked into passing on the record of a game that runs: by a link that needs no login,
in the room itself, or inline. Stopped by `views.is_out` (what a copy opens) and `tokens.RECORD`
(posts that hold a link)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio

from tests.edge.api.house import House, Pair, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Hears sealed moves, tells each player a secret of its own, ends when told so.
SEALED = """
class Sealed:
    def on_start(self):
        for player in self.ctx.players:
            self.ctx.post("bot", {"card": "card of " + player}, to=[player])
    def on_message(self, msg):
        text = msg["body"].get("text", "")
        if text == "end":
            self.ctx.end({"winners": [], "reason": "told so"})
        else:
            self.ctx.set_state({"last": text})
"""
SECRET, CARD = "the move is heron", "card of alice"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


async def _game(house: House, **arguments: Any) -> Pair:
    """A game in which alice has said something to the referee alone."""
    pair = await house.pair(**(arguments or {"bot_code": SEALED}))
    await _say(house, pair, SECRET, to=["bot:sealed"])
    return pair


async def _say(house: House, pair: Pair, body: Any, **more: Any) -> None:
    said = await house.rest(pair.alice, "post_message", channel_id=pair.id, body=body, **more)
    assert said.status == 200, said.data


async def _link(house: House, pair: Pair, **asked: Any) -> str:
    said = await house.rest(pair.alice, "get_transcript", channel_id=pair.id, **asked)
    url: str = said.data["url"]
    return url


async def _opened(house: House, url: str) -> str:
    """What anybody reads behind a link, opened."""
    answer = await house.http.get(urlsplit(url).path)
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as record:
        return record.read("openings.jsonl").decode()


async def _inline(house: House, pair: Pair, **asked: Any) -> str:
    said = await house.rest(
        pair.alice, "get_transcript", channel_id=pair.id, format="inline", **asked
    )
    return json.dumps(said.data["openings"])


async def test_nobody_reads_a_sealed_word_of_a_running_game_behind_a_link(house: House) -> None:
    pair = await _game(house)
    assert await _opened(house, await _link(house, pair)) == ""
    assert await _inline(house, pair) == "[]"


async def test_who_asks_for_the_private_words_gets_them(house: House) -> None:
    pair = await _game(house)
    url = await _link(house, pair, private=True)
    for opened in (await _opened(house, url), await _inline(house, pair, private=True)):
        assert SECRET in opened
        assert CARD in opened
        assert "card of bob" not in opened


async def test_a_link_of_a_running_game_opens_its_words_when_the_game_is_over(house: House) -> None:
    pair = await _game(house)
    url = await _link(house, pair)
    await _say(house, pair, "end")
    for opened in (await _opened(house, url), await _inline(house, pair)):
        assert SECRET in opened
        assert CARD in opened


async def test_the_end_of_one_referees_game_opens_nothing_that_another_keeps(house: House) -> None:
    bots = [{"inline_code": SEALED}, {"inline_code": SEALED.replace("class Sealed", "class Side")}]
    pair = await house.pair(bots=bots)
    await _say(house, pair, SECRET, to=["bot:side"])
    await _say(house, pair, "end", to=["bot:sealed"])
    opened = await _opened(house, await _link(house, pair))
    assert SECRET not in opened
    assert opened.count(CARD) == 1
    assert SECRET in await _opened(house, await _link(house, pair, private=True))


async def test_what_a_referee_keeps_for_good_is_only_given_to_who_asks(house: House) -> None:
    code = SEALED.replace("class Sealed:", 'MANIFEST = {"sealed": "kept"}\nclass Sealed:')
    pair = await _game(house, bot_code=code)
    await _say(house, pair, "end")
    assert await _opened(house, await _link(house, pair)) == ""
    assert SECRET in await _opened(house, await _link(house, pair, private=True))


async def test_players_whispers_wait_for_the_end_too(house: House) -> None:
    pair = await house.pair(bot_code=SEALED)
    await _say(house, pair, SECRET, to=["bob"])
    assert await _opened(house, await _link(house, pair)) == ""
    await _say(house, pair, "end")
    assert SECRET in await _opened(house, await _link(house, pair))


@pytest.mark.parametrize("private", [False, True])
async def test_no_post_holds_a_live_link(house: House, private: bool) -> None:
    pair = await _game(house)
    url = await _link(house, pair, private=private)
    ticket = urlsplit(url).path.rpartition("/")[2]
    smuggled: list[Any] = [
        url,
        ticket,
        f"_{ticket}_and more",
        f"see {url}.",
        {"look": {"here": [url]}},
        {url: 1},
        url.replace("_", "%5f"),
        url.replace("record", "%72ecord"),
        "".join(f"%{byte:02x}" for byte in url.encode()),
        quote(url, safe=""),
        url.replace("_", "\\_"),
        f"{url[:-9]}\n{url[-9:]}",
    ]
    for body in smuggled:
        for to in (None, ["bob"], ["bot:sealed"]):
            said = await house.rest(
                pair.alice, "post_message", channel_id=pair.id, body=body, to=to
            )
            assert said.refused == "BAD_MESSAGE", body
            assert ticket not in str(said.data)


async def test_nothing_else_that_others_read_holds_a_live_link(house: House) -> None:
    pair = await _game(house)
    url = await _link(house, pair)
    for arguments in (
        {"name": url},
        {"bot_code": SEALED, "bot_params": {"see": url}},
        {"bot_code": f"# {url}\n{SEALED}"},
        {"join_as": "alice", "entropy": url},
    ):
        said = await house.rest(pair.alice, "create_channel", **arguments)
        assert said.refused == "INVALID_REQUEST", arguments
