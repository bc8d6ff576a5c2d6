"""Somebody who plays with the mouse or with keys alone, and reads nothing but the page."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from playwright.async_api import Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.follower import bodies

PATIENCE = 60_000  #: ms; on a busy machine a move takes many times its usual few
SOON = 10_000  #: ms for what is there already

Hands = Literal["mouse", "keys"]


@dataclass
class Person:
    """One player at one page of a room."""

    page: Page
    hands: Hands
    chance: random.Random
    moves: int = 0
    _said: set[str] = field(default_factory=set)

    async def sit_down(self) -> None:
        """From an invite's page to the room."""
        await self.page.locator("#play").wait_for(timeout=PATIENCE)
        await self._press(self.page.locator("#play"))
        await self.page.wait_for_url("**/room/**", timeout=PATIENCE)
        await self.page.locator("#whole:not([hidden])").wait_for(timeout=PATIENCE)

    async def finish(self) -> str:
        """Move whenever it is this player's turn, until the game is over; what the page says."""
        turn = self.page.locator("#turn")
        for _ in range(400):
            await self.page.locator("#turn.yours, #over:not([hidden])").first.wait_for(
                timeout=PATIENCE
            )
            if await self.page.locator("#over").is_visible():
                return await turn.inner_text()
            await self.move()
        raise AssertionError(f"no end: {await turn.inner_text()}")

    async def move(self) -> None:
        """One of the moves that the page offers, one not made before if there is one."""
        offered = self.page.locator("#moves > .moves > .buttons button")
        labels = await offered.all_inner_texts()
        if labels:
            fresh = [label for label in labels if label not in self._said]
            label = self.chance.choice(fresh or labels)
            try:
                await self._press(offered.nth(labels.index(label)))
            except PlaywrightTimeout:
                return  # the other side's word has changed what there is to say
        else:
            box = self.page.locator("#moves .say-box input")
            prompt = await self.page.locator("#moves .say-box label").inner_text()
            possible = bodies(prompt.strip().removeprefix("The referee asks: "))
            label = self.chance.choice([one for one in possible if one not in self._said])
            await self._reach(box)
            await self.page.keyboard.type(str(label))
            await self.page.keyboard.press("Enter")
        self._said.add(str(label))
        self.moves += 1
        await expect(self.page.locator("#moves")).to_have_attribute(
            "aria-busy", "false", timeout=PATIENCE
        )

    async def _press(self, button: Locator) -> None:
        await self._reach(button)
        if self.hands == "keys":
            await self.page.keyboard.press("Enter")

    async def _reach(self, target: Locator) -> None:
        """With the mouse: click. With keys: Tab until it has the focus."""
        if self.hands == "mouse":
            await target.click(timeout=SOON)
            return
        await target.wait_for(timeout=SOON)
        for _ in range(120):
            if await target.evaluate("one => one === document.activeElement"):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError("no key leads there")
