"""What a joiner accepts, as one hash.

The document holds everything that could be turned against a player later: referees
(code, library, manifest, params, reach), seats with their admin flags, limits, the commitments
of the seeds, and whether the room is listed or rated. Who sits where is not part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from mcp_multiplayer.channel.model import Channel, once
from mcp_multiplayer.transcript.canonical_json import canonical


def document(channel: Channel) -> dict[str, Any]:
    """Return the terms as JSON."""
    return {
        "bots": [
            {
                "bot_id": bot.id,
                "code_hash": bot.code_hash,
                "manifest_hash": bot.manifest_hash,
                "params": dict(bot.params),
                "reach": dict(bot.reach),
                **({} if bot.library is None else {"library": bot.library}),
            }
            for bot in channel.bots
        ],
        "slots": [
            {"kind": slot.kind, "label": slot.label, "admin": slot.admin} for slot in channel.slots
        ],
        "limits": dict(channel.limits),
        "dice": {bot.id: bot.commit for bot in channel.bots},
        **({"listed": True} if channel.listed else {}),
        **({"rated": True} if channel.rated else {}),
    }


def digest(terms: Mapping[str, Any]) -> str:
    """Return ``sha256:<hex>`` over the document's canonical bytes."""
    return "sha256:" + hashlib.sha256(canonical(terms)).hexdigest()


@once
def of(channel: Channel) -> str:
    """Return the digest of the document."""
    return digest(document(channel))


def of_deed(channel: Channel, op: Mapping[str, Any]) -> str:
    """The name of an op that waits for consent and leaves the terms as they are. No two proposals
    share it: who accepts one has not accepted what was proposed in its place."""
    return digest({"terms": document(channel), "op": op, "size": channel.size})


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say in words which parts of the terms are not what they were."""
    whole = ("slots", "limits", "listed", "rated")
    parts = [part for part in whole if before.get(part) != after.get(part)]
    old = {bot["bot_id"]: bot for bot in before.get("bots", [])}
    new = {bot["bot_id"]: bot for bot in after["bots"]}
    for bot_id in sorted(old.keys() | new.keys()):
        was, now = old.get(bot_id), new.get(bot_id)
        if was is None or now is None:
            parts.append(f"bot:{bot_id} was {'added' if was is None else 'removed'}")
            continue
        keys = now.keys() | was.keys()
        changed = sorted(key for key in keys if was.get(key) != now.get(key))
        changed += ["dice"] if _seed(before, bot_id) != _seed(after, bot_id) else []
        if changed:
            parts.append(f"{' and '.join(changed)} of bot:{bot_id}")
    return ", ".join(parts)


def _seed(document: Mapping[str, Any], bot_id: str) -> str | None:
    """The commitment of a bot's seed in a terms document."""
    return (document.get("dice") or {}).get(bot_id)
