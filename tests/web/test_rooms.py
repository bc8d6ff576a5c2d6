"""Playing, watching and managing in a browser, over the real pair."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from mcp_multiplayer.demo.pair import SERVER, Pair
from tests.follower import Follower, Json
from tests.players import Rest, rest, wire
from tests.sample import sample
from tests.sandbox.outside import listening, make_chain
from tests.test_follower import PRESETS
from tests.web.conftest import Visit
from tests.web.person import PATIENCE, Hands, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """A pair whose internet is one server of ours."""
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    async with listening(tls) as net:
        await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", net.port))
        running = Pair(
            tmp_path_factory.mktemp("rooms"),
            BOT_EGRESS_RESOLVE=f"api.coinbase.com:443=127.0.0.1:{net.port}",
            BOT_EGRESS_CA_FILE=str(ca),
            BOT_HOOKS_PER_MINUTE="1000",  # nobody here thinks
        )
        try:
            await asyncio.to_thread(running.start)
            yield running
        finally:
            await asyncio.to_thread(running.stop)


@pytest_asyncio.fixture(loop_scope="module")
async def alice(house: Pair) -> AsyncIterator[Rest]:
    async with rest(house.base, "alice") as made:
        yield made


async def opened(host: Rest, preset: str = "GuessBot", **more: Any) -> Json:
    """A room of alice's with a free seat for bob."""
    wanted = {"bot_preset": preset, "join_as": "alice", "entropy": "a" * 32} | more
    return await host.call("create_channel", **wanted)


def invite(house: Pair, room: Json) -> str:
    """The link for bob, by the name of this machine that the browser uses."""
    code = next(iter(room["invite_links"].values())).partition("#")[2]
    return f"{house.base}/join#{code}"


def of_room(page: Page) -> str:
    return page.url.partition("#")[0].rpartition("/")[2]


async def test_from_a_link_to_the_first_move_are_two_clicks(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await opened(alice, "RockPaperScissorsBot")
    page = await visit(invite(house, room))
    await page.locator("#play").click()  # one
    await page.locator("#moves > .moves > .buttons button").first.click(timeout=PATIENCE)  # two
    await page.locator("#turn", has_text="Waiting for alice").wait_for(timeout=PATIENCE)
    read = await alice.call("sync_messages", channel_id=room["channel_id"], cursor=0)
    assert [one for one in read["messages"] if one["sender"] == "bob"]
    assert not visit.heard.errors
    assert {url.partition("/")[0] for url in visit.heard.requests} == {"http:"}
    assert all(url.startswith((house.base, "data:")) for url in visit.heard.requests)


GAMES = [(preset, hands) for preset in PRESETS for hands in ("mouse", "keys")]
ALWAYS = [("TicTacToeBot", "keys"), ("CoinBot", "mouse")]


@pytest.mark.parametrize(("preset", "hands"), sample(GAMES, ALWAYS))
async def test_a_person_finishes_every_game_against_an_agent(
    house: Pair, visit: Visit, preset: str, hands: Hands
) -> None:
    links: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack, asyncio.timeout(240), asyncio.TaskGroup() as group:
        agent = await stack.enter_async_context(wire(house.base, "agent", "2026-07-28"))

        async def asking(name: str, arguments: Json) -> tuple[Json, str]:
            said = await agent.call(name, **arguments)
            if name == "create_channel":
                links.set_result(invite(house, said))
            return said, said["text"]

        host = Follower(asking, random.Random("agent"))
        game = group.create_task(
            host.play(
                "create_channel", bot_preset=preset, bot_params=PRESETS[preset], join_as="agent"
            )
        )
        person = Person(await visit(await links), hands, random.Random("person"))
        await person.sit_down()
        told = await person.finish()
    assert told.startswith("Over: "), told
    result = game.result()["view"]["result"]
    for winner in result["winners"]:
        assert winner in told
    assert not visit.heard.errors


async def test_what_was_sealed_is_opened_on_the_page_when_the_game_ends(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await opened(alice, "RockPaperScissorsBot", bot_params={"rounds": 1})
    page = await visit(invite(house, room))
    await Person(page, "mouse", random.Random(1)).sit_down()
    where = {"channel_id": room["channel_id"]}
    await alice.call("post_message", **where, body="rock", to=["bot:rps"])
    await page.locator("#feed", has_text="something sealed").wait_for(timeout=PATIENCE)
    await page.get_by_role("button", name="paper").click()
    await page.locator("#over:not([hidden])").wait_for(timeout=PATIENCE)
    await page.locator("#feed li", has_text="rock").first.wait_for(timeout=PATIENCE)
    await expect(page.locator("#feed", has_text="something sealed")).to_have_count(
        0, timeout=PATIENCE
    )


async def test_a_page_moves_no_unread_of_its_players_agent(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await opened(alice, "TicTacToeBot")
    page = await visit(invite(house, room))
    await Person(page, "mouse", random.Random(1)).sit_down()
    headers = {"X-Mpx-Web": page.url.partition("as=")[2].partition("&")[0]}
    await alice.call("post_message", channel_id=room["channel_id"], body="hello there")
    await page.locator("#feed", has_text="hello there").wait_for(timeout=PATIENCE)

    async def unread() -> int:
        listed = await page.evaluate(
            "async (headers) => (await fetch('/list_channels', { headers })).json()", headers
        )
        return int(listed["channels"][0]["unread"])

    before = await unread()
    assert before >= 1
    await page.locator("#moves .say-box input").fill("hello yourself")
    await page.keyboard.press("Enter")
    await page.locator("#feed", has_text="hello yourself").wait_for(timeout=PATIENCE)
    assert await unread() == before + 1  # its own word; it was sent by the page, not by the agent


async def test_a_killed_server_loses_nothing_and_says_nothing_twice(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await opened(alice, "TicTacToeBot")
    page = await visit(invite(house, room))
    await Person(page, "mouse", random.Random(1)).sit_down()
    words = [f"word {number}" for number in range(4)]
    for number, word in enumerate(words):
        if number == 2:
            await asyncio.to_thread(house.kill, SERVER)
            await asyncio.to_thread(house.wait)
        await alice.call("post_message", channel_id=room["channel_id"], body=word)
    await page.locator("#feed", has_text=words[-1]).wait_for(timeout=PATIENCE)
    read = await alice.call("sync_messages", channel_id=room["channel_id"], cursor=0)
    numbers = await page.locator("#feed li .number").all_inner_texts()
    assert numbers == [str(one["id"]) for one in read["messages"]]


async def test_whoever_watches_is_shown_what_a_watching_seat_reads(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    slots = ["bot:referee", "invite:alice", "invite:bob", "watch:eve"]
    room = await opened(alice, "RockPaperScissorsBot", slots=slots, listed=True)
    async with rest(house.base, "bob") as bob, rest(house.base, "eve") as eve:
        links = room["invite_links"]
        await bob.call("join_channel", invite_code=links["bob"], entropy="b" * 32)
        await eve.call("join_channel", invite_code=links["eve"])
        for player, throw in ((alice, "rock"), (bob, "paper")):
            await player.call(
                "post_message", channel_id=room["channel_id"], body=throw, to=["bot:referee"]
            )
        read = await eve.call("sync_messages", channel_id=room["channel_id"], cursor=0)
    page = await visit(f"{house.base}/watch/{room['channel_id']}")
    await page.locator("#feed li").nth(len(read["messages"]) - 1).wait_for(timeout=PATIENCE)
    numbers = await page.locator("#feed li .number").all_inner_texts()
    assert numbers == [str(one["id"]) for one in read["messages"]]
    assert await page.locator("#feed li", has_text="something sealed").count() == 2
    assert not await page.locator("#moves button").count()
    assert not visit.heard.errors


async def test_a_room_that_is_not_listed_is_watched_by_its_link_alone(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await opened(alice)
    info = await alice.call("get_channel_info", channel_id=room["channel_id"])
    path = f"{house.base}/watch/{room['channel_id']}"
    page = await visit(f"{path}#{info['watch_link'].partition('#')[2]}")
    await page.locator("#seats", has_text="alice").wait_for(timeout=PATIENCE)
    for tail in ("", "#wat_wrong"):
        page = await visit(path + tail)
        await page.locator("#told:not([hidden])").wait_for(timeout=PATIENCE)
        assert "alice" not in await page.content()


async def test_without_javascript_a_listed_room_can_be_read(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await opened(alice, "TicTacToeBot", listed=True, name="Reading room")
    page = await visit(f"{house.base}/watch/{room['channel_id']}", java_script_enabled=False)
    text = await page.inner_text("main")
    for fact in ("Reading room", "alice", "Whoever runs this server"):
        assert fact in text


async def test_a_room_is_opened_in_the_browser_and_its_link_works(
    house: Pair, visit: Visit
) -> None:
    page = await visit(f"{house.base}/rooms?new=GuessBot")
    await page.locator("#settings summary").click()
    await page.locator("#param-high").fill("3")
    await page.get_by_role("button", name="Open the room").click()
    await page.wait_for_url("**/room/**", timeout=PATIENCE)
    link = await page.locator("#links code").inner_text(timeout=PATIENCE)
    await page.get_by_role("button", name="QR code").click()
    await page.locator("#links img:not([hidden])").wait_for(timeout=PATIENCE)
    friend = await visit(f"{house.base}/join#{link.partition('#')[2]}")
    await Person(friend, "mouse", random.Random(1)).sit_down()
    await expect(page.locator("#turn")).to_have_text("Your move", timeout=PATIENCE)
    # The links are gone with the last free seat, and the room stands in the list.
    await expect(page.locator("#invite-part")).to_be_hidden(timeout=PATIENCE)
    listed = await visit(f"{house.base}/rooms", beside=page)
    await listed.locator("#rooms a", has_text="your move").wait_for(timeout=PATIENCE)
    assert not visit.heard.errors


async def test_the_manager_makes_a_new_link_and_closes_the_room(house: Pair, visit: Visit) -> None:
    page = await visit(f"{house.base}/rooms?new=TicTacToeBot")
    await page.get_by_role("button", name="Open the room").click()
    await page.wait_for_url("**/room/**", timeout=PATIENCE)
    first = await page.locator("#links code").inner_text(timeout=PATIENCE)
    await page.evaluate("sessionStorage.clear()")
    await page.reload()
    await page.get_by_role("button", name="Make a new link").click(timeout=PATIENCE)
    second = await page.locator("#links code").inner_text(timeout=PATIENCE)
    assert first != second
    dead = await visit(f"{house.base}/join#{first.partition('#')[2]}")
    await expect(dead.locator("#title")).to_have_text(
        "This invite cannot be used", timeout=PATIENCE
    )
    await page.get_by_role("button", name="Close the room").click()
    await page.get_by_role("button", name="Press again").click()
    await expect(page.locator("#turn")).to_have_text("The room is closed.", timeout=PATIENCE)


@pytest.mark.long
async def test_two_players_of_one_browser_play_in_two_tabs(house: Pair, visit: Visit) -> None:
    one = await visit(f"{house.base}/rooms?new=TicTacToeBot")
    await one.get_by_role("button", name="Open the room").click()
    await one.wait_for_url("**/room/**", timeout=PATIENCE)
    link = await one.locator("#links code").inner_text(timeout=PATIENCE)
    two = await visit(f"{house.base}/join#{link.partition('#')[2]}", beside=one)
    await two.locator("select[name=player]").select_option(label="a new player")
    await Person(two, "mouse", random.Random(1)).sit_down()
    assert of_room(one) == of_room(two)
    first = Person(one, "mouse", random.Random(2))
    second = Person(two, "keys", random.Random(3))
    told = await asyncio.gather(first.finish(), second.finish())
    assert told[0] == told[1]


async def finished(house: Pair, alice: Rest, **more: Any) -> Json:
    """A room in which alice and bob have played a game to its end."""
    room = await opened(alice, "TicTacToeBot", **more)
    async with rest(house.base, "bob") as bob:
        await bob.call("join_channel", invite_code=room["invite_links"]["bob"], entropy="b" * 32)
        for number, square in enumerate("14253"):
            player = (alice, bob)[number % 2]
            await player.call("post_message", channel_id=room["channel_id"], body=square)
    return room


async def lines(page: Page) -> set[str]:
    """The states of the checks, once they are there."""
    await page.locator("#checks li").last.wait_for(timeout=PATIENCE)
    states = [await one.get_attribute("class") for one in await page.locator("#checks li").all()]
    return set(filter(None, states))


async def test_a_finished_game_is_stepped_through_and_checked(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await finished(house, alice, listed=True)
    page = await visit(f"{house.base}/match/{room['channel_id']}")
    assert await lines(page) == {"ok", "absent"}
    await expect(page.locator("#headline")).to_have_text("alice beat bob · Tic Tac Toe")
    last = await page.inner_text("#now")
    await page.keyboard.press("Home")
    assert await page.inner_text("#now") != last
    assert not visit.heard.errors
    assert all(url.startswith((house.base, "data:")) for url in visit.heard.requests)


async def test_the_saved_match_opens_without_a_network(
    house: Pair, alice: Rest, visit: Visit, tmp_path: Path
) -> None:
    room = await finished(house, alice, listed=True)
    page = await visit(f"{house.base}/match/{room['channel_id']}")
    await lines(page)
    async with page.expect_download(timeout=PATIENCE) as saving:
        await page.get_by_role("link", name="Save match.html").click()
    saved = tmp_path / "match.html"
    await (await saving.value).save_as(saved)
    assert saved.stat().st_size < 200_000
    asked = len(visit.heard.requests)
    alone = await visit(saved.as_uri(), offline=True)
    assert await lines(alone) == {"ok", "absent"}
    assert [url for url in visit.heard.requests[asked:] if not url.startswith("file:")] == []


async def test_a_game_that_is_not_listed_is_shown_to_its_members_and_by_its_link(
    house: Pair, alice: Rest, visit: Visit
) -> None:
    room = await finished(house, alice)
    info = await alice.call("get_channel_info", channel_id=room["channel_id"])
    path = f"{house.base}/match/{room['channel_id']}"
    page = await visit(f"{path}#{info['watch_link'].partition('#')[2]}")
    assert await lines(page) == {"ok", "absent"}
    page = await visit(path)
    await page.locator("#refused:not([hidden])").wait_for(timeout=PATIENCE)
    assert not await page.locator("#checks li").count()


async def test_a_player_goes_from_the_room_to_the_match(house: Pair, visit: Visit) -> None:
    one = await visit(f"{house.base}/rooms?new=TicTacToeBot")
    await one.get_by_role("button", name="Open the room").click(timeout=PATIENCE)
    await one.wait_for_url("**/room/**", timeout=PATIENCE)
    link = await one.locator("#links code").inner_text(timeout=PATIENCE)
    two = await visit(f"{house.base}/join#{link.partition('#')[2]}")
    await Person(two, "mouse", random.Random(1)).sit_down()
    players = [Person(page, "mouse", random.Random(seed)) for page, seed in ((one, 2), (two, 3))]
    await asyncio.gather(*(player.finish() for player in players))
    await one.get_by_role("link", name="Step through the game").click()
    await one.wait_for_url("**/match/**", timeout=PATIENCE)
    assert await lines(one) == {"ok", "absent"}
    assert not visit.heard.errors


async def test_a_page_of_another_site_can_use_no_route_with_the_cookie(
    house: Pair, alice: Rest, visit: Visit, tmp_path: Path
) -> None:
    room = await opened(alice)
    page = await visit(invite(house, room))
    await Person(page, "mouse", random.Random(1)).sit_down()
    tag = page.url.partition("as=")[2].partition("&")[0]
    async with _other_site() as other:
        evil = await visit(other, beside=page)
        tried = await evil.evaluate(
            """async ([base, tag, room]) => {
              const out = [];
              for (const [method, path] of [["GET", "/list_channels"], ["POST", "/post_message"],
                  ["GET", "/session"], ["GET", `/events?channel_id=${room}`]]) {
                for (const headers of [{}, { "X-Mpx-Web": tag },
                    { "X-Mpx-Web": tag, "Content-Type": "text/plain" }]) {
                  for (const mode of ["cors", "no-cors"]) {
                    try {
                      const answer = await fetch(base + path, { method, headers, mode,
                        credentials: "include", body: method === "POST" ? "{}" : undefined });
                      out.push([method, path, answer.status, await answer.text()]);
                    } catch (error) { out.push([method, path, 0, ""]); }
                  }
                }
              }
              return out;
            }""",
            [house.base, tag, room["channel_id"]],
        )
    assert tried and all(text == "" for *_, text in tried), json.dumps(tried)
    read = await alice.call("sync_messages", channel_id=room["channel_id"], cursor=0)
    assert not [one for one in read["messages"] if one["sender"] == "bob"]


def _other_site() -> Any:
    """A page on another port of this machine, to which browsers send our cookie as well."""
    from contextlib import asynccontextmanager

    from tests.edge.harness import serving

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"content-type", b"text/html")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"<!doctype html><title>evil"})

    @asynccontextmanager
    async def site() -> AsyncIterator[str]:
        async with serving(app) as port:
            yield f"http://127.0.0.1:{port}/"

    return site()
