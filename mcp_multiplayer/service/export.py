"""A room's record as one file: what a member can keep, and check without this server. The file ends
at a head where no hook was due, and holds what a replay needs: the sources, the network's answers,
and what opens the private messages of this reader.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.channel import view
from mcp_multiplayer.channel.events import Attach, Event, Reveal, Run
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.service.receipts import first_leaves
from mcp_multiplayer.service.replica import Replica, SignedHead, Step, decode, step
from mcp_multiplayer.storage.base import Leaf, Table

_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time of ours: the same room gives the same file

README = """The record of one room, as its server keeps it.

entries.jsonl   one entry a line, canonical JSON (RFC 8785); each names the hash of the one before
checkpoint      the head (RFC 6962, SHA-256) that these entries form, signed by the room's key
blobs/          sources of the referees and answers of the network, named by their SHA-256
openings.jsonl  salts and values that open the private messages of the member who asked; those
                that a running game keeps secret only if it was asked for with private=true

To check it you need Python 3.11 or later and one file, verifier.pyz: from somebody you trust, who
need not run this server (every server has one at /verifier.pyz; the same version is the same
bytes everywhere, and its source is in the project mcp-multiplayer). No network and no login:

    python3 verifier.pyz FILE.zip

It executes the referees again, and says in six lines what holds, what nobody can know yet
and what would settle it. Give it what others saw to compare: --line "bob: 27 <root>",
--invite LINK.
A server that says its own games are verified has shown nothing. docs/format.md of the
project has the format, docs/trust.md what can be cheated and by whom.
"""


@dataclass(frozen=True)
class Reader:
    """Whose copy it is: called ``names``, seated since entry ``since`` (what was whispered to the
    seat before stays sealed). ``private``: with their words that a running game keeps secret."""

    names: frozenset[str]
    since: int
    private: bool = False


def openings(room: Replica, channel: Channel, made: Step, reader: Reader) -> list[dict[str, Any]]:
    """What opens the private messages of a step for this reader, as openings.jsonl has it."""
    return [
        {"id": message.id, "opening": room.opening(message)}
        for message in made.messages
        if message.to is not None
        and message.entry >= reader.since
        and view.opens(message, reader.names)
        and (reader.private or view.is_out(channel, message))
    ]


def write(room: Replica, channel: Channel, head: SignedHead, reader: Reader) -> bytes:
    """Return the zip of the log up to ``head`` for this reader.

    Reads the store and what it is given, so it may run on a thread of its own while the
    room goes on.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        lines: list[bytes] = []
        blobs: dict[str, bytes] = {}
        asked: dict[int, list[str]] = {}  # answers that a referee has heard, by its attach
        opened: list[dict[str, Any]] = []
        for leaf in first_leaves(room.store, room.channel_id, head.size):
            lines.append(_line(leaf))
            made = step(channel, decode(leaf), leaf)
            for name in _needs(made.event, asked):
                kept = room.store.get(Table.BLOB, room.channel_id, f"sha256:{name}")
                if kept is not None:
                    blobs[name] = kept
            opened += openings(room, channel, made, reader)
        _add(bundle, "README.txt", README.encode())
        _add(bundle, "entries.jsonl", b"".join(lines))
        if head.note is not None:
            _add(bundle, "checkpoint", head.note.encode())
        for name, blob in sorted(blobs.items()):
            _add(bundle, f"blobs/{name}", blob)
        kept_lines = [json.dumps(one, separators=(",", ":")) + "\n" for one in opened]
        _add(bundle, "openings.jsonl", "".join(kept_lines).encode())
    return file.getvalue()


def _needs(event: Event, asked: dict[int, list[str]]) -> list[str]:
    """SHA-256 (hex) of everything beside the log that can be read from this entry on.

    What a referee heard from the network is as secret as its state, and comes out with its seed:
    a player must not read in the middle of a quiz what it has looked up.
    """
    match event:
        case Attach():
            texts = (event.code_hash, event.library or event.code_hash)
            return [one.removeprefix("sha256:") for one in texts]
        case Run(at=at, fx=list(effects)):
            answers = [base64.urlsafe_b64decode(one["r"] + "=").hex() for one in effects]
            asked.setdefault(at, []).extend(answers)
            return []
        case Reveal(at=at):
            return asked.pop(at, [])
        case _:
            return []


def _line(leaf: Leaf) -> bytes:
    if leaf.erased:
        return json.dumps({"erased": base64.b64encode(leaf.hash).decode()}).encode() + b"\n"
    return leaf.data + b"\n"


def _add(bundle: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    bundle.writestr(entry, data)
