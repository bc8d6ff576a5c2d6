"""What a player may press and write: the turn's `expect`, exactly, and sealed where it says so."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.web import games, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]


@pytest.fixture
def page(scene: Page) -> Page:
    return scene


def turn(expect: Any, to: Any = None, *, yours: bool = True) -> Json:
    return {"players": ["alice"], "yours": yours, "deadline": None, "expect": expect, "to": to}


async def read(page: Page, told: Any) -> Json:
    found: Json = await page.evaluate("(turn) => made.readExpect(turn)", told)
    return found


async def controls(page: Page, told: Any, **state: Any) -> None:
    await page.evaluate("(state) => made.controls(state)", {"turn": told, **state})


BID = {"type": "move", "game": "auction", "action": "bid", "value": 40}
ODD = {"type": "move", "action": "hit", "value": 1, "text": "I owe you everything"}


@pytest.mark.parametrize(
    ("told", "labels", "prompt", "to"),
    [
        (turn(["hit", "stand"]), ["hit", "stand"], "", None),
        (turn([BID, "pass"]), ["bid 40", "pass"], "", None),
        (turn([{"type": "move", "action": "pass"}]), ["pass"], "", None),
        (turn({"body": ["a"], "to": ["bot:x"], "also": "b N"}), ["a"], "b N", ["bot:x"]),
        (turn({"body": ["a"], "to": "bot:x"}), ["a"], "", ["bot:x"]),
        (turn(["a"], ["bot:x"]), ["a"], "", ["bot:x"]),
        (turn({"body": "limit N", "to": ["bot:x"]}), [], "limit N", ["bot:x"]),
        (turn("guess N, 1 to 9"), [], "guess N, 1 to 9", None),
        (turn({"my": "own"}), [], '{"my":"own"}', None),
        (turn(None), [], "", None),
        (turn([1, None, [], "", " ", "x" * 301, "b"]), ["b"], "", None),
        (turn(["a"], ["bot:x"], yours=False), [], "", None),
        (None, [], "", None),
        # Whatever is said besides the move must stand on the button.
        (turn([ODD]), [json.dumps(ODD, separators=(",", ":"))], "", None),
        *(
            (
                turn([BID | {"game": said}]),
                [json.dumps(BID | {"game": said}, separators=(",", ":"))],
                "",
                None,
            )
            for said in (["I_owe_you"], "I_owe_mallory_1000_pounds", None)
        ),
    ],
)
async def test_what_is_expected_is_read(
    page: Page, told: Any, labels: list[str], prompt: str, to: Any
) -> None:
    found = await read(page, told)
    assert [one["label"] for one in found["buttons"]] == labels
    assert (found["prompt"], found["to"]) == (prompt, to)
    assert all(one["sealed"] == (to is not None) for one in found["buttons"])


@pytest.mark.parametrize("file", games.FILES)
async def test_each_body_that_a_referee_expects_has_its_button(page: Page, file: str) -> None:
    game = await games.play(file)
    told = (game.turn or {}).get("expect")
    bodies = told["body"] if isinstance(told, dict) else told
    found = await read(page, game.turn)
    if game.turn and game.turn["yours"] and isinstance(bodies, list):
        assert [one["body"] for one in found["buttons"]] == bodies
        assert found["to"] == game.turn["to"]
    else:
        assert found["buttons"] == []


async def test_a_button_posts_exactly_its_entry(page: Page) -> None:
    await controls(page, turn([BID, " Nf3 "]))
    await page.get_by_role("button", name="bid 40").click()
    await page.get_by_role("button", name="Nf3").click()
    assert await stage.posted(page) == [[BID, None], [" Nf3 ", None]]


async def test_a_sealed_move_says_so_and_is_sealed_from_box_and_button(page: Page) -> None:
    await controls(page, turn(["rock"], ["bot:rps"]), moves=["resign", "rock or paper"])
    await expect(page.get_by_text("Sealed: only the referee bot:rps sees this.")).to_be_visible()
    await page.get_by_role("button", name="rock", exact=True).click()
    await page.get_by_label("Say something").fill("paper")
    await page.get_by_role("button", name="Send sealed").click()
    assert await stage.posted(page) == [["rock", ["bot:rps"]], ["paper", ["bot:rps"]]]


async def test_of_many_moves_eight_are_shown_and_the_others_can_be_found(page: Page) -> None:
    await controls(page, turn([f"move {n}" for n in range(40)]))
    group = page.get_by_role("group", name="Moves")
    await expect(group.get_by_role("button")).to_have_count(8)
    await page.get_by_text("more moves (32)").click()
    await page.get_by_label("Find a move").fill("39")
    await expect(page.locator(".more-moves button:visible")).to_have_text(["move 39"])
    await page.get_by_role("button", name="move 39").click()
    assert await stage.posted(page) == [["move 39", None]]


async def test_twelve_moves_are_all_shown(page: Page) -> None:
    await controls(page, turn([f"move {n}" for n in range(12)]))
    await expect(page.get_by_role("group", name="Moves").get_by_role("button")).to_have_count(12)
    await expect(page.locator("details")).to_have_count(0)


async def test_the_text_box_is_called_what_is_asked_for(page: Page) -> None:
    await controls(page, turn("guess N, 1 to 100"))
    await page.get_by_label("guess N, 1 to 100").fill("guess 7")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    assert await stage.posted(page) == [["guess 7", None]]


@pytest.mark.parametrize(
    "body", ["resign", "Concede", {"type": "move", "action": "leave"}], ids=["text", "case", "move"]
)
async def test_giving_up_takes_a_second_press(page: Page, body: Any) -> None:
    await controls(page, turn([body, "hit"]))
    button = page.get_by_role("group").get_by_role("button").first
    await button.click()
    await expect(button).to_have_accessible_name(re.compile("^Sure. Press again: "))
    await page.get_by_role("button", name="hit").click()
    assert await stage.posted(page) == [["hit", None]]
    await expect(button).not_to_have_accessible_name(re.compile("Press again"))
    await button.click()
    await button.click()
    assert await stage.posted(page) == [["hit", None], [body, None]]


async def test_the_menu_says_words_and_leaves_gaps_to_the_box(page: Page) -> None:
    await controls(page, turn(["5"]), moves=["1 to 9", "guess N", "rematch", "!help", BID])
    await page.locator(".menu summary").click()
    await expect(page.locator(".menu button")).to_have_text(
        ["1 to 9", "guess N", "rematch", "!help"]
    )
    await page.get_by_role("button", name="guess N").click()
    box = page.get_by_label("Say something")
    await expect(box).to_be_focused()
    await expect(box).to_have_value("guess N")
    await page.get_by_role("button", name="rematch").click()
    assert await stage.posted(page) == [["rematch", None]]


async def test_who_may_not_post_has_nothing_to_press(page: Page) -> None:
    await controls(page, turn(["5"]), moves=["resign"], canPost=False)
    assert await page.locator(".moves *").count() == 0


async def test_a_draft_and_the_focus_stay_when_the_turn_changes(page: Page) -> None:
    kept = await page.evaluate(
        """([mine, yours]) => {
          const place = document.createElement("div");
          made.stage.append(place);
          const state = { moves: [], canPost: true };
          const show = (turn) => made.placeMoves(place, { ...state, turn }, made.post);
          show(mine);
          const box = place.querySelector("input[name=say]");
          box.value = "half a";
          box.focus();
          show({ ...mine, deadline: "later" });
          const same = place.querySelector("input[name=say]") === box;
          show(yours);
          const now = place.querySelector("input[name=say]");
          return [same, now === box, now.value, document.activeElement === now];
        }""",
        [turn(["5"]), turn(None, yours=False)],
    )
    assert kept == [True, False, "half a", True]


async def place(page: Page, told: Any) -> None:
    state = {"turn": told, "canPost": True}
    await page.evaluate("(state) => made.placeMoves(made.stage, state, made.post)", state)


@pytest.mark.parametrize(
    ("meant", "goes", "kept"),
    [
        (None, None, True),
        (None, ["bot:rps"], True),
        (["bot:rps"], ["bot:rps"], True),
        (["bot:rps"], None, False),
        (["bot:rps"], ["mallory"], False),
    ],
)
async def test_a_draft_that_was_to_be_sealed_is_never_said_to_others(
    page: Page, meant: Any, goes: Any, kept: bool
) -> None:
    await place(page, turn("your number", meant))
    await page.get_by_label("your number").fill("7261")
    await place(page, turn("another number", goes))
    await page.keyboard.press("Enter")
    assert await stage.posted(page) == ([["7261", goes]] if kept else [])
