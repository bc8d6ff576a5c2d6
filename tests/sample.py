"""Which rows of a matrix run every time; the others are long and run with scripts/test --all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest


def sample(
    rows: Iterable[Any], always: Collection[Any], ids: Callable[[Any], str] | None = None
) -> list[Any]:
    """Return ``rows`` for ``parametrize``, all but those in ``always`` marked long. ``ids`` names
    a row."""
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)),
            id=ids(row) if ids else None,
            marks=() if row in always else pytest.mark.long,
        )
        for row in rows
    ]
