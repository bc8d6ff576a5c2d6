"""A room's record as one file: what a member can keep, and check without this server.

Changes with `docs/format.md`. The file is a zip: `entries.jsonl` (one leaf per line, its
exact bytes; an erased entry is its hash), `head.json` (size, root, origin), `blobs/` (the
sources, by hash) and `openings.jsonl` (what opens the private messages of this reader).
A log born as `mpx-log/0` holds no seeds and no fuel, so it proves no play; `README.txt`
says so to whoever finds the file.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator

from engine.channel import views
from engine.channel.events import Attach
from engine.channel.state import Channel
from engine.room import Room, decode, step
from engine.stores.base import Leaf, Table
from engine.transcript.chain import Head

_BATCH = 512
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time of ours: the same room gives the same file

README = """The record of one room, as its server keeps it.

entries.jsonl   one entry a line, canonical JSON (RFC 8785); each names the hash of the one before
head.json       size and root (RFC 6962, SHA-256) of the log these entries form
blobs/          sources of the referees, named by their sha256
openings.jsonl  salts and values that open the private messages of the member who asked

Keep size and root apart from this file, or compare them with another member's: entries
that form another root are not the ones you were given. In this version of the log
(mpx-log/0) nothing here shows that the referee's dice or words came from its source: that
is the server's word.
"""


def write(
    room: Room, channel: Channel, head: Head, names: frozenset[str], *, since: int = 0
) -> bytes:
    """Return the zip of the log up to ``head``, for the reader called ``names``, who sat
    down with entry ``since``: what was whispered to the seat before stays sealed.

    Reads the store and what it is given, so it may run on a thread of its own while the
    room goes on.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        lines, sources, openings = [], {}, []
        for leaf in _leaves(room, head.size):
            lines.append(_line(leaf))
            made = step(channel, decode(leaf), leaf)
            if isinstance(made.event, Attach):
                kept = room.store.get(Table.BLOB, room.channel_id, made.event.code_hash)
                sources[made.event.code_hash.removeprefix("sha256:")] = kept or b""
            for message in made.messages:
                mine = message.entry >= since and views.opens(message, names)
                if message.to is not None and mine:
                    openings.append({"id": message.id, "opening": room.opening(message)})
        _add(bundle, "README.txt", README.encode())
        _add(bundle, "entries.jsonl", b"".join(lines))
        _add(bundle, "head.json", json.dumps(_head(channel, head)).encode())
        for name, source in sorted(sources.items()):
            _add(bundle, f"blobs/{name}", source)
        kept_lines = [json.dumps(one, separators=(",", ":")) + "\n" for one in openings]
        _add(bundle, "openings.jsonl", "".join(kept_lines).encode())
    return file.getvalue()


def _leaves(room: Room, size: int) -> Iterator[Leaf]:
    start = 0
    while start < size and (batch := room.store.leaves(room.channel_id, start, _BATCH)):
        yield from (leaf for leaf in batch if leaf.number < size)
        start += len(batch)


def _line(leaf: Leaf) -> bytes:
    if leaf.data is None:
        return json.dumps({"erased": base64.b64encode(leaf.hash).decode()}).encode() + b"\n"
    return leaf.data + b"\n"


def _head(channel: Channel, head: Head) -> dict[str, object]:
    root = base64.b64encode(head.root).decode()
    return {"origin": channel.origin, "size": head.size, "root": root}


def _add(bundle: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    bundle.writestr(entry, data)
