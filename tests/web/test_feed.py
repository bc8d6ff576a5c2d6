"""What was said in a room, as a page lists it for any referee."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.web import games

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def page(scene: Page) -> Page:
    return scene


def message(sender: str, body: Any, kind: str = "user", **more: Any) -> dict[str, Any]:
    told = {"id": 12, "entry": 9, "sender": sender, "kind": kind, "body": body}
    return {**told, "ts": "2026-12-01T10:02:03.000Z", **more}


async def shown(page: Page, said: Any, you: str = "alice") -> str:
    text = await page.evaluate(
        """([said, you]) => {
          const feed = made.makeFeed({ you });
          made.stage.append(feed.element);
          feed.append(said);
          return feed.element.querySelector("li").innerText;
        }""",
        [said, you],
    )
    return " ".join(str(text).split())


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (message("bob", {"text": "Nf3"}), "12 bob 10:02 Nf3"),
        (message("alice", {"text": "Nf3"}), "12 alice (you) 10:02 Nf3"),
        (message("bob", {"text": "hm"}, "whisper"), "12 bob whisper 10:02 hm"),
        (
            message("bot:x", {"type": "move", "san": "e4", "number": 1, "text": "good"}, "bot"),
            "12 bot:x move 10:02 good san: e4 number: 1",
        ),
        (message("bot:x", {"type": 7, "ok": True, "n": None}), "12 bot:x 10:02 ok: true n: null"),
        (message("bot:x", {"board": ["X"], "deep": {}}, "bot"), "12 bot:x 10:02 board, deep"),
        (message("bot:x", {"text": {"a": 1}}, "bot"), "12 bot:x 10:02 text"),
        (message("bob", {"sealed": "Zm9v"}, to=["eve"]), "12 bob to eve 10:02 something sealed"),
        (message("bob", {"sealed": "Zm9v"}), "12 bob 10:02 sealed: Zm9v"),
        (message("bot:x", {"text": "a card"}, to=["alice"]), "12 bot:x to alice 10:02 a card"),
        (
            message("bot:x", {"text": "a card", "_sd": "Zm9v"}),
            "12 bot:x 10:02 a card and something sealed",
        ),
    ],
)
async def test_a_message_says_who_and_what(page: Page, said: Any, line: str) -> None:
    assert await shown(page, said) == line


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"type": "joined", "player_id": "bob", "slot_id": "s"}, "bob sat down"),
        ({"type": "joined", "player_id": "eve", "role": "spectator"}, "eve watches"),
        ({"type": "left", "player_id": "bob"}, "bob left"),
        ({"type": "taken_over", "player_id": "bob"}, "the seat of bob was taken over"),
        ({"type": "admin", "player_id": "bob", "admin": False}, "bob no longer manages the room"),
        ({"type": "renamed", "name": "A room"}, "the room is called A room now"),
        ({"type": "handed_over", "player_id": "bob"}, "the room was handed over to bob"),
        ({"type": "closed"}, "the room is closed"),
        ({"type": "closed", "reason": "lost"}, "the room is closed: lost"),
        ({"type": "turn", "players": ["a", "b"], "expect": ["x"]}, "to move: a, b"),
        ({"type": "turn", "players": []}, "to move: nobody"),
        (
            {"type": "ended", "winners": ["bob"], "reason": "mate"},
            "the game is over, won by bob: mate",
        ),
        ({"type": "ended", "winners": []}, "the game is over, won by nobody"),
        ({"type": "bots_announced", "bots": [{"name": "CoinBot"}]}, "referee: CoinBot"),
        ({"type": "bots_announced", "bots": [], "removed": "coin"}, "bot:coin is gone"),
        ({"type": "bot:attach", "bot_id": "coin", "name": "C"}, "bot:coin is C in full"),
        (
            {"type": "bot:error", "bot_id": "x", "hook": "on_join", "error": "KeyError"},
            "bot:x failed in on_join: KeyError",
        ),
        ({"type": "change_proposed", "by": "bob", "changes": []}, "bob proposes a change in full"),
        ({"type": "new_one", "n": 1}, "new_one n: 1"),
    ],
)
async def test_the_server_speaks_in_short_words(page: Page, body: Any, line: str) -> None:
    assert await shown(page, message("system", body, "system")) == f"12 10:02 {line}"


async def test_nobody_else_speaks_as_the_server(page: Page) -> None:
    joined = {"type": "joined", "player_id": "bob"}
    said = await shown(page, message("bot:x", joined, "bot"))
    assert said == "12 bot:x joined 10:02 player_id: bob"
    assert await page.locator(".from-system").count() == 0


async def test_a_long_text_is_all_there(page: Page) -> None:
    await shown(page, message("bob", {"text": "word " * 2000}))
    await page.get_by_text("all of it").click()
    assert len(await page.locator("pre").inner_text()) == 10_000


async def test_the_log_only_grows_and_shows_each_message_once(page: Page) -> None:
    game = await games.play("tic_tac_toe_bot.py")
    counts = await page.evaluate(
        """(messages) => {
          const feed = made.makeFeed({ you: "alice" });
          made.stage.append(feed.element);
          messages.forEach(feed.append);
          const first = feed.element.querySelector("li");
          messages.forEach(feed.append);
          const items = feed.element.querySelectorAll("ol > li");
          const { scrollTop, scrollHeight, clientHeight } = feed.element;
          return [items.length, items[0] === first, scrollHeight - scrollTop - clientHeight < 2];
        }""",
        game.messages,
    )
    assert counts == [len(game.messages), True, True]
    await expect(page.get_by_role("log", name="What was said")).to_be_visible()


async def test_who_reads_further_up_is_left_there(page: Page) -> None:
    top = await page.evaluate(
        """() => {
          const feed = made.makeFeed();
          made.stage.append(feed.element);
          const said = { sender: "bob", kind: "user", body: { text: "hm" } };
          const say = (id) => feed.append({ ...said, id });
          for (let id = 1; id < 60; id += 1) say(id);
          feed.element.scrollTop = 0;
          say(60);
          return feed.element.scrollTop;
        }"""
    )
    assert top == 0


async def test_a_talkative_referee_does_not_fill_the_tab(page: Page) -> None:
    shown = await page.evaluate(
        """() => {
          const feed = made.makeFeed();
          const said = { sender: "bot:talker", kind: "bot", body: { text: "hm" } };
          for (let id = 1; id <= 2100; id += 1) feed.append({ ...said, id });
          const numbers = [...feed.element.querySelectorAll(".number")];
          return [numbers.length, numbers[0].textContent, numbers.at(-1).textContent];
        }"""
    )
    assert shown == [2000, "101", "2100"]
