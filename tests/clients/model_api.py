"""A model behind an API: it says what a test has it say, and keeps what it was given. Anthropic's
Messages, as Claude Code asks, and OpenAI's Responses, as Codex does."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
_PATIENCE = 120.0  #: seconds, on a machine however busy


class ModelApi(ABC):
    """``requests`` are those of the conversation; each holds all that was said so far."""

    path: str

    def __init__(self) -> None:
        self.requests: list[Json] = []
        self._asked: asyncio.Queue[asyncio.Future[list[Json]]] = asyncio.Queue()
        self._answer: asyncio.Future[list[Json]] | None = None

    @property
    def app(self) -> Starlette:
        other = Route("/{path:path}", _not_here, methods=["GET", "POST", "HEAD"])
        return Starlette(routes=[Route(self.path, self._ask, methods=["POST"]), other])

    async def begin(self) -> Json:
        """Wait until the model is asked, and return the request."""
        async with asyncio.timeout(_PATIENCE):
            self._answer = await self._asked.get()
        return self.requests[-1]

    async def use(self, *tools: Json) -> list[Any]:
        """Use tools at the same time, each as `_event` has it, and return what the model is given
        for each."""
        assert self._answer is not None
        ids = [f"call_{len(self.requests)}_{n}" for n, _ in enumerate(tools)]
        self._answer.set_result(list(self._uses(dict(zip(ids, tools, strict=True)))))
        body = await self.begin()
        return [self.result(body, one) for one in ids]

    def end(self) -> None:
        """Say that all is done, where there is somebody who asks."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(list(self._words("Done.")))

    async def _ask(self, request: Request) -> Response:
        body = await request.json()
        if not self.conversation(body):
            return _stream(self._words("Play"))
        self.requests.append(body)
        answer: asyncio.Future[list[Json]] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(answer)
        return _stream(await answer)

    @abstractmethod
    def conversation(self, body: Json) -> bool:
        """Whether it is asked for the next step, and not for a title or the like."""

    @abstractmethod
    def result(self, body: Json, call_id: str) -> Any:
        """What ``body`` gives the model for a use of a tool."""

    @abstractmethod
    def _uses(self, tools: dict[str, Json]) -> Iterator[Json]:
        """The events of an answer that uses tools."""

    @abstractmethod
    def _words(self, text: str) -> Iterator[Json]:
        """The events of an answer in words."""


async def _not_here(request: Request) -> Response:
    return JSONResponse({}, 404)


def _stream(events: Iterable[Json]) -> Response:
    said = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return Response(said, media_type="text/event-stream")


class Messages(ModelApi):
    """POST /v1/messages. A tool's use is {"name", "input"}."""

    path = "/v1/messages"

    def conversation(self, body: Json) -> bool:
        return bool(body.get("tools"))

    def result(self, body: Json, call_id: str) -> Any:
        blocks = [one for said in body["messages"] for one in said["content"]]
        (block,) = [one for one in blocks if _field(one, "tool_use_id") == call_id]
        return block

    def _uses(self, tools: dict[str, Json]) -> Iterator[Json]:
        blocks = []
        for call_id, tool in tools.items():
            block = {"type": "tool_use", "id": call_id, "name": tool["name"], "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(tool["input"])}
            blocks.append((block, delta))
        yield from self._message("tool_use", blocks)

    def _words(self, text: str) -> Iterator[Json]:
        delta = {"type": "text_delta", "text": text}
        yield from self._message("end_turn", [({"type": "text", "text": ""}, delta)])

    def _message(self, reason: str, blocks: list[tuple[Json, Json]]) -> Iterator[Json]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        message: Json = {"id": f"msg_{len(self.requests)}", "type": "message", "role": "assistant"}
        message |= {"model": "stub", "content": [], "usage": usage}
        yield {"type": "message_start", "message": message}
        for index, (block, delta) in enumerate(blocks):
            yield {"type": "content_block_start", "index": index, "content_block": block}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        stop = {"stop_reason": reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": stop, "usage": usage}
        yield {"type": "message_stop"}


def _field(block: Any, name: str) -> Any:
    return block.get(name) if isinstance(block, dict) else None


class Responses(ModelApi):
    """POST /v1/responses. A tool's use is an item without its ids."""

    path = "/v1/responses"

    def conversation(self, body: Json) -> bool:
        return True

    def result(self, body: Json, call_id: str) -> Any:
        (item,) = [
            item
            for item in body["input"]
            if item.get("call_id") == call_id and item["type"].endswith("_output")
        ]
        return item

    def _uses(self, tools: dict[str, Json]) -> Iterator[Json]:
        yield from self._response(
            [
                {"id": f"item_{call_id}", "call_id": call_id, **item}
                for call_id, item in tools.items()
            ]
        )

    def _words(self, text: str) -> Iterator[Json]:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        item = {"type": "message", "id": "said", "role": "assistant", "content": content}
        yield from self._response([item])

    def _response(self, items: list[Json]) -> Iterator[Json]:
        response: Json = {"id": f"resp_{len(self.requests)}", "object": "response"}
        yield {"type": "response.created", "response": response}
        for index, item in enumerate(items):
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        response["usage"] = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        yield {"type": "response.completed", "response": response}
