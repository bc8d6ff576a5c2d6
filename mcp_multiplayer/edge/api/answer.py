"""What an operation answers: the facts, and the same facts in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

_NEXT = "next: "


@dataclass(frozen=True)
class Answer:
    """``data`` is the JSON of REST, and of MCP where it is asked for; ``text`` is what a model
    reads."""

    data: dict[str, Any]
    text: str

    def complete(self) -> Answer:
        """With the last line of the text in the data, too: REST has no text."""
        last = self.text.rpartition("\n")[2]
        if not last.startswith(_NEXT):
            return self
        return replace(self, data={**self.data, "next": last.removeprefix(_NEXT)})
