"""Heads that were signed, written down or carried by an invite, held against this log. On the other
side is a server that shows two logs: each head that somebody kept is compared with the tree of this
file at that size.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.channel.events import (
    Admin,
    Attach,
    Detach,
    Event,
    Genesis,
    Invite,
    Join,
    Key,
    Leave,
)
from mcp_multiplayer.transcript import checkpoint, proofs
from mcp_multiplayer.transcript.checkpoint import BadNote
from mcp_multiplayer.verifier.findings import Findings
from mcp_multiplayer.verifier.parse_log import Log

#: "bob: 27 S8FX…", and what the server's own log: lines look like.
_LINE = re.compile(
    r"\s*(?P<who>[A-Za-z0-9][A-Za-z0-9_-]{0,31})\s*:\s*(?:log:\s*)?(?P<size>[0-9]{1,15})"
    r"(?:\s+entries)?,?\s+(?:root\s+)?(?P<root>[A-Za-z0-9+/]{1,43}=?)(?:…|\.\.\.)?\.?\s*"
)
PROOF = 24  #: characters of a root that are enough; fewer are a hint


class Unusable(ValueError):
    """What was given to compare with is nothing to compare with; that accuses nobody."""


@dataclass(frozen=True)
class Receipt:
    """One that holds: a file's name, the entry it is of, and the size of the head it leads to."""

    name: str
    entry: int
    size: int


@dataclass
class Heads:
    """What was compared. ``seen``: by label, the largest size at which this log is the one that
    member saw; ``kept``: entries for which an author has a receipt."""

    log: Log
    events: Sequence[Event | None]
    findings: Findings
    seen: dict[str, int] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    keys: list[tuple[int, str]] = field(default_factory=list)  #: (from which entry on, vkey)
    signed: bool = False
    pinned: bool = False
    notes: dict[str, str] = field(default_factory=dict)  #: evidence, by file name
    typed: list[str] = field(default_factory=list)  #: who is said to have seen a typed line
    receipts: list[Receipt] = field(default_factory=list)

    def __post_init__(self) -> None:
        for index, event in enumerate(self.events):
            if isinstance(event, Genesis) and event.key:
                self.keys.append((index, event.key))
            elif isinstance(event, Key):
                self.keys.append((index, event.vkey))

    @property
    def origin(self) -> str:
        first = self.events[0] if self.events else None
        return first.origin if isinstance(first, Genesis) else ""

    def key_at(self, size: int) -> str:
        """The key that signs a head of this size."""
        return next((key for start, key in reversed(self.keys) if start < size), "")

    # --- the head of this file ---------------------------------------------------------------

    def check_own(self, text: str | None) -> None:
        """That the file ends with a head that the room's own key has signed."""
        if text is None:
            self.findings.add("I_UNSIGNED", "no signed head comes with this record")
            return
        try:
            head, _ = self._open(text, own=True)
        except BadNote as error:
            self.findings.add("E_SIGNATURE", f"the checkpoint: {error}")
            return
        self.notes["checkpoint-of-this-file"] = text
        if head.size != self.log.size:
            words = f"it is of {head.size} entries, {self.log.size} are here"
            self.findings.add("E_CHECKPOINT", words)
        elif head.root != self.log.root(head.size):
            self.findings.add("E_CHECKPOINT", "the entries form another root than was signed")
        else:
            self.signed = True

    def _open(self, text: str, *, own: bool = False) -> tuple[checkpoint.Checkpoint, bool]:
        """A head of this room, and whether the key signed it that the room had at that size; else
        `BadNote`. What others have may be signed by any key of the room: else a server that
        changed its key in one of two logs would have signed neither for the other."""
        head = checkpoint.read_checkpoint(text.rpartition("\n\n")[0] + "\n")
        if head.origin != self.origin:
            raise BadNote("it is of another room")
        then = self.key_at(head.size)
        candidates = [then] if own and then else [] if own else [key for _, key in self.keys]
        if not candidates:
            raise BadNote("the room has no key to sign it with")
        return head, then in checkpoint.open_note(text, candidates).signers

    # --- what others have --------------------------------------------------------------------

    def check_invite(self, text: str) -> None:
        """That the log begins as it did on the day the invite was made."""
        found = invite_codes.INVITE.search(text)
        if found is None:
            raise Unusable("--invite takes an invite link or code")
        code, _, mark = found.group().partition(".")
        hashes = {hash for event in self.events for _, hash in _offers(event)}
        if invite_codes.digest(code) not in hashes:
            self.findings.add("E_INVITE", "this invite is of another room, or of another log")
            return
        if not mark:
            words = "the invite carries no head (it ends before the first dot)"
            self.findings.add("I_INVITE", words)
            return
        size, _, fingerprint = mark.partition(".")
        count = int(size) if len(size) < 16 else 0
        if not 0 < count <= self.log.size:
            self.findings.add("E_INVITE", f"it was made with {size} entries, fewer are here")
            return
        root = self.log.root(count)
        made = [
            checkpoint.invite_fingerprint(key, self.origin, count, root) for _, key in self.keys
        ]
        if fingerprint not in made:
            words = f"the first {count} entries or the key are not those of the invite"
            self.findings.add("E_INVITE", words, fingerprint=fingerprint, here=made)
            return
        self.pinned = True
        self._check_seat(invite_codes.digest(code), count)

    def _check_seat(self, invite: str, count: int) -> None:
        """That the terms of the day the invite was made still stood whenever somebody sat down on
        its seat: also who is said to have been there before its holder."""
        slot = next(one for event in self.events for one, hash in _offers(event) if hash == invite)
        empty, taken, changed, late = True, False, -1, -1
        for index, event in enumerate(self.events):
            match event:
                case Attach() | Detach() | Admin() if empty and index >= count:
                    changed = index
                case Join(other) if other == slot:
                    empty, taken, late = False, True, changed
                case Leave(other) if other == slot:
                    empty = True
        late = late if taken else changed
        if late >= 0:
            text = "the terms changed after the invite was made and before its seat was taken"
            self.findings.add("I_INVITE_OLD", f"{text}: the invite pins others", late)

    def check_line(self, text: str) -> str:
        """A head that a member typed: "bob: 27 S8FX…". Return the member's label."""
        found = _LINE.fullmatch(text)
        if found is None:
            raise Unusable('a --line is "bob: 27 S8FX…": who, size, root')
        who, size, root = found["who"], int(found["size"]), found["root"]
        self.typed.append(who)
        if size > self.log.size:
            self._ahead(who, size)
            return who
        ours = base64.b64encode(self.log.root(size)).decode()
        if not ours.startswith(root):
            self.findings.add(
                "E_FORK",
                f"{who} saw a log of {size} entries with root {root}…, here it is {ours}: two "
                "logs, or a line that was mistyped. The signed note of that head settles it: "
                f"--head-of {who}=FILE",
            )
        elif len(root) < PROOF:
            words = f"{len(root)} characters of {who}'s root agree; {PROOF} would show it"
            self.findings.add("I_LINE_SHORT", words)
        else:
            self._saw(who, size)
        return who

    def check_note(self, who: str, text: str) -> None:
        """A signed note that a member kept."""
        try:
            head, timely = self._open(text)
        except BadNote as error:
            words = f"the note of {who}: {error} (its size and root can be given as a --line)"
            raise Unusable(words) from None
        if self._compare(who, head, text, timely):
            self._saw(who, head.size)

    def check_receipt(self, name: str, text: str) -> None:
        """A tlog-proof that somebody got for a post."""
        try:
            index, proof, signed = proofs.read_tlog_proof(text)
            head, timely = self._open(signed)
        except BadNote as error:
            raise Unusable(f"the receipt {name}: {error}") from None
        if not self._compare(f"the receipt {name}", head, signed, timely):
            return
        leaf = self.log.lines[index].hash if index < self.log.size else b""
        if not proofs.verify_inclusion(leaf, index, head.size, proof, head.root):
            raise Unusable(f"the receipt {name} does not lead to its own head")
        self.kept.add(index)
        self.receipts.append(Receipt(name, index, head.size))

    def _compare(self, who: str, head: checkpoint.Checkpoint, text: str, timely: bool) -> bool:
        if head.size > self.log.size:
            self._ahead(who, head.size)
            return False
        ours = self.log.root(head.size)
        if head.root != ours:
            self.notes[f"note-of-{who}-{head.size}"] = text
            both = "The two signed notes prove" if head.size == self.log.size else ""
            key, rest = "the room's key", f"{both or 'That note and this signed record prove'} it"
            if not timely:  # the key entry in this record, which both keys signed, names it
                key = "another key of the room than it had here then"
                rest = "Two logs, or somebody else has that key; both are there to be shown"
            self.findings.add(
                "E_FORK",
                f"{key} has signed another head of {head.size} entries for {who}: "
                f"{base64.b64encode(head.root).decode()}, here it is "
                f"{base64.b64encode(ours).decode()}. {rest} to anybody.",
            )
            return False
        return True

    def _ahead(self, who: str, size: int) -> None:
        words = f"{who} saw {size} entries, {self.log.size} are here: get a newer file to compare"
        self.findings.add("I_LINE_AHEAD", words)

    def _saw(self, who: str, size: int) -> None:
        self.seen[who] = max(size, self.seen.get(who, 0))


def _offers(event: Event | None) -> list[tuple[str, str]]:
    """The seats that an entry offers, with the hashes of their invites."""
    match event:
        case Genesis():
            return [(slot["id"], slot["invite"]) for slot in event.slots if "invite" in slot]
        case Invite(slot, hash):
            return [(slot, hash)]
        case _:
            return []
