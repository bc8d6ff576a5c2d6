"""A client that goes away in the middle of its body, or sends too much of it, meets every route
that reads one: it is an answer, not an exception of the program's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from tests.edge.harness import BASE, lab

ROUTES = ["/session", "/qr", "/ask_house", "/register", "/token", "/revoke"]


async def sent(app: Any, path: str, messages: list[Message]) -> int:
    """The status of the answer to a body in these pieces."""
    headers = {
        "host": "localhost:8100",
        "origin": BASE,
        "sec-fetch-site": "same-origin",
        "content-type": "application/json",
        "x-mpx-web": "",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    answers: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answers.append(message)

    await app(scope, receive, send)
    return int(answers[0]["status"])


@pytest.mark.parametrize("path", ROUTES)
async def test_whoever_leaves_in_the_middle_is_no_error_of_ours(tmp_path: Path, path: str) -> None:
    async with lab(tmp_path) as it:
        half: Message = {"type": "http.request", "body": b'{"a"', "more_body": True}
        assert 400 <= await sent(it.app, path, [half]) < 500


@pytest.mark.parametrize("path", ROUTES)
async def test_no_more_is_read_than_anybody_would_mean(tmp_path: Path, path: str) -> None:
    piece: Message = {"type": "http.request", "body": b"x" * 1000, "more_body": True}
    pieces: list[Message] = [dict(piece) for _ in range(1000)]
    async with lab(tmp_path) as it:
        assert 400 <= await sent(it.app, path, pieces) < 500
    assert len(pieces) > 900
