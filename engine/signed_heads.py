"""PLACEHOLDER"""

from __future__ import annotations


class Equivocation(Exception):
    pass


class SignedHeads:
    def __init__(self, path: object) -> None:
        self._h: dict[str, tuple[int, bytes]] = {}

    def highest(self, c: str) -> tuple[int, bytes] | None:
        return self._h.get(c)

    def record(self, c: str, size: int, root: bytes) -> None:
        h = self._h.get(c)
        if h and (size < h[0] or (size == h[0] and root != h[1])):
            raise Equivocation(f"{h} {size}")
        self._h[c] = (size, root)
