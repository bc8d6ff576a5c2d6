"""What an operation answers: the facts, and the same facts in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """``data`` is the JSON of REST and ``structuredContent``; ``text`` is what a model reads."""

    data: dict[str, Any]
    text: str
