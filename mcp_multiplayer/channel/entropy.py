"""Who had a say in the dice, and when a seed comes out (docs/format.md, "Dice").

On the other side are a server that would like to choose its seed after a member has
spoken, and members who would like to speak last. What stands in K was fixed in the log
before anybody could know both (`tests/attacks/test_grinding.py`).
"""

from __future__ import annotations

import re

from mcp_multiplayer.channel.events import Entropy, Event, Open, Reveal
from mcp_multiplayer.channel.model import Bot, Channel, Slot
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.transcript import seeds

SHORTEST, LONGEST = 16, 256  #: characters of a member's value
PROMISE = "commit:"
_COMMITMENT = re.compile(PROMISE + r"([A-Za-z0-9_-]{43})")
REPEAT = "Repeat a call that failed with the same value; 32 hex characters from your code tool do."


def shares(channel: Channel, bot: Bot, on: int) -> list[tuple[str, str]]:
    """The members' values in K for a hook that entry ``on`` calls: none before the game has
    begun, none that the server had read before it committed to this bot's seed."""
    if channel.started is None or on < channel.started:
        return []
    return sorted((share.slot, share.value) for share in channel.entropy if share.given > bot.at)


def said(text: str | None) -> tuple[str | None, str | None]:
    """Read an ``entropy`` argument: (value, None), (None, commitment) or (None, None)."""
    if text is None or text == "":
        return None, None
    if promised := _COMMITMENT.fullmatch(text):
        return None, promised.group(1)
    if text.startswith("<"):  # what `next:` shows in this place, obeyed to the letter
        raise InvalidRequest(
            "entropy is a value of your own, not the words in its place", hint=REPEAT
        )
    if text.startswith(PROMISE):  # taken for a value it would be read at once
        raise InvalidRequest(
            "a commitment is commit: and 43 characters, base64url without padding",
            hint='help("dice") makes one.',
        )
    if not SHORTEST <= len(text) <= LONGEST or not text.isprintable():
        raise InvalidRequest(
            f"entropy has {SHORTEST} to {LONGEST} printable characters that nobody can guess",
            hint=REPEAT,
        )
    return text, None


def contribute(channel: Channel, slot: Slot, text: str | None) -> list[Event]:
    """What follows when the holder of a seat names its part of the dice (again).

    After the beginning nothing does: whoever comes back to a game need not know.
    """
    value, commit = said(text) if slot.plays else (None, None)
    if (value is None and commit is None) or channel.status != "open":
        return []
    if (value and value == slot.entropy) or (commit and commit == slot.commit):
        return []
    if value and slot.commit:
        return [_opened(channel, slot, value)]
    if slot.given > max((bot.at for bot in channel.bots), default=0):
        raise InvalidRequest(
            "your seat has given another value before, and that one stands",
            hint="Leave entropy out, or repeat the first value.",
        )
    return [Entropy(slot.id, value, commit)]


def _opened(channel: Channel, slot: Slot, value: str) -> Open:
    if seeds.commit_member(channel.origin, slot.id, value) != slot.commit:
        raise InvalidRequest(
            "this value is not the one your seat has committed to",
            hint=f"The commitment is b64url(SHA-256(…)) over origin {channel.origin} and slot "
            f"{slot.id}; docs/format.md, Dice.",
        )
    if channel.sealed is None:
        raise InvalidRequest(
            "it is too early to open: somebody could still choose a value that suits yours",
            hint="Open it when every seat is taken; the room's state says so.",
        )
    return Open(slot.id, value)


# --- a seed comes out ------------------------------------------------------------------------


def reveal(channel: Channel, bot: Bot) -> list[Event]:
    """The seed's turn to come out, if a run has used it."""
    return [Reveal(bot.id, bot.at, bot.dice.epoch, "")] if bot.dice.used else []


def reveal_more(channel: Channel, bot: Bot) -> list[Event]:
    """As `reveal`, for a bot that goes on: its last seed stays for the room's end."""
    return reveal(channel, bot) if bot.may_reveal else []
