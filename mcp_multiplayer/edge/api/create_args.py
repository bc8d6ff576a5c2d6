"""How create_channel's arguments become referees and seats. Words only; no permission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp_multiplayer.channel.identifiers import LABEL
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service.bot_manager import Bot, BotSpec, default_slots
from mcp_multiplayer.transcript.canonical_json import unquoted

Json = dict[str, Any]


def specs(
    preset: str | None, code: str | None, bots: list[Json] | None, params: Json | None
) -> list[BotSpec]:
    if sum(given is not None for given in (preset, code, bots)) > 1:
        raise InvalidRequest("bot_preset, bot_code and bots exclude each other; give one of them")
    if bots is None:
        one = BotSpec(preset=preset, code=code, params=params)
        if preset is None and code is None:
            if params is not None:
                raise InvalidRequest("bot_params need a bot_preset or bot_code to go to")
            return []
        return [one]
    if params is not None:
        raise InvalidRequest("with bots, params belong into each of its items")
    return [_spec(place, item) for place, item in enumerate(bots)]


_BOT_FIELDS: dict[str, type] = {
    "slot": str,
    "name": str,
    "version": str,
    "code_ref": str,
    "inline_code": str,
    "manifest": dict,
    "params": dict,
}
_WORDS: dict[type, str] = {str: "text", dict: "a JSON object"}


def _spec(place: int, item: Json) -> BotSpec:
    item = {
        key: unquoted(value) if _BOT_FIELDS.get(key) is dict else value
        for key, value in item.items()
        if value is not None  # null is left out
    }
    for key, value in item.items():
        wrong = ""
        if key not in _BOT_FIELDS:
            wrong = f"{key[:40]!r} is not understood"
        elif not isinstance(value, _BOT_FIELDS[key]):
            wrong = f"{key} must be {_WORDS[_BOT_FIELDS[key]]}"
        if wrong:
            raise InvalidRequest(
                f"bots[{place}]: {wrong}", hint=f"An item has {', '.join(_BOT_FIELDS)}."
            )
    return BotSpec(
        preset=item.get("code_ref"),
        code=item.get("inline_code"),
        name=item.get("name"),
        version=item.get("version"),
        manifest=item.get("manifest"),
        params=item.get("params"),
        slot=item.get("slot"),
    )


def default(prepared: Sequence[Bot], join_as: str | None) -> list[str]:
    """The slots of a room that was asked for without: the seats its first referee wants, and
    a slot for it, or for all of them when one is to have a slot of a certain name."""
    slots = default_slots(prepared[0]) if prepared else ["invite:alice", "invite:bob"]
    if any(bot.new.slot for bot in prepared):
        named = [(bot.new.slot or bot.new.label).removeprefix("bot:") for bot in prepared]
        slots = [*(f"bot:{name}" for name in named), *slots[1:]]
    if join_as is not None and f"invite:{join_as}" not in slots and LABEL.fullmatch(join_as):
        first = next(n for n, slot in enumerate(slots) if slot.startswith("invite:"))
        slots[first] = f"invite:{join_as}"
    return slots
