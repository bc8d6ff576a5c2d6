"""A server with every tool, resource and prompt that the conformance suite asks for, named as it
names them: so that the proxy carries what no game ever sends.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message, PromptResult
from fastmcp.tools.base import ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

#: A picture of one point, and two samples of silence.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA=="
TEXT = {"type": "string"}


def everything() -> FastMCP[Any]:
    """A new server with all of it."""
    mcp: FastMCP[Any] = FastMCP("everything", dereference_schemas=False)
    for add in (_contents, _within, _asks, _schemas, _changes, _resources, _prompts, _rounds):
        add(mcp)

    @mcp.completion
    def complete(ref: Any, argument: Any, context: Any) -> list[str]:
        return [word for word in ("test", "testing") if word.startswith(argument.value)]

    return mcp


def _image() -> ImageContent:
    return ImageContent(data=PNG, mime_type="image/png")


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    inner = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return EmbeddedResource(resource=inner)


def _text(text: str) -> TextContent:
    return TextContent(text=text)


def _contents(mcp: FastMCP[Any]) -> None:
    @mcp.tool
    def test_simple_text() -> ToolResult:
        """A text."""
        return ToolResult([_text("This is a simple text response for testing.")])

    @mcp.tool
    def test_image_content() -> ToolResult:
        """A picture."""
        return ToolResult([_image()])

    @mcp.tool
    def test_audio_content() -> ToolResult:
        """A sound."""
        return ToolResult([AudioContent(data=WAV, mime_type="audio/wav")])

    @mcp.tool
    def test_embedded_resource() -> ToolResult:
        """A resource within an answer."""
        return ToolResult([_resource("test://embedded-resource", "text/plain", "Embedded.")])

    @mcp.tool
    def test_multiple_content_types() -> ToolResult:
        """Three kinds of content in one answer."""
        uri, text = "test://mixed-content-resource", '{"test":"data","value":123}'
        mixed = _resource(uri, "application/json", text)
        return ToolResult([_text("Multiple content types test:"), _image(), mixed])

    @mcp.tool
    def test_error_handling() -> ToolResult:
        """An error."""
        raise ToolError("This tool intentionally returns an error for testing")


def _within(mcp: FastMCP[Any]) -> None:
    """Tools that send something before their answer."""

    async def log(ctx: Context) -> ToolResult:
        """Three lines of a log, then the answer."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
        return ToolResult([_text("logged")])

    mcp.tool(log, name="test_tool_with_logging")
    mcp.tool(log, name="test_logging_tool")

    @mcp.tool
    async def test_tool_with_progress(ctx: Context) -> ToolResult:
        """Three steps, then the answer."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
        return ToolResult([_text("done")])

    @mcp.tool
    async def test_reconnection(ctx: Context) -> ToolResult:
        """End the stream in the middle; the answer is for whoever comes back."""
        await ctx.close_sse_stream()
        return ToolResult([_text("Reconnection test completed")])


def _asks(mcp: FastMCP[Any]) -> None:
    """Tools that ask the client in the middle of a call, as in the eras with sessions."""

    @mcp.tool
    async def test_sampling(prompt: str, ctx: Context) -> ToolResult:
        """Ask the client's model."""
        said = await ctx.session.create_message(
            messages=[SamplingMessage(role="user", content=_text(prompt))],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        return ToolResult([_text(f"LLM response: {said.content}")])

    async def elicited(ctx: Context, message: str, **properties: Any) -> ToolResult:
        schema = {"type": "object", "properties": properties, "required": []}
        result = await ctx.session.elicit(message, schema, related_request_id=ctx.request_id)
        return ToolResult([_text(f"action={result.action}, content={result.content}")])

    @mcp.tool
    async def test_elicitation(message: str, ctx: Context) -> ToolResult:
        """Ask the user."""
        return await elicited(ctx, message, username=TEXT, email=TEXT)

    @mcp.tool
    async def test_elicitation_sep1034_defaults(ctx: Context) -> ToolResult:
        """Ask the user, with an answer prepared for every field."""
        states = ["active", "inactive", "pending"]
        return await elicited(
            ctx,
            "Please review",
            name={**TEXT, "default": "John Doe"},
            age={"type": "integer", "default": 30},
            score={"type": "number", "default": 95.5},
            status={**TEXT, "enum": states, "default": "active"},
            verified={"type": "boolean", "default": True},
        )

    @mcp.tool
    async def test_elicitation_sep1330_enums(ctx: Context) -> ToolResult:
        """Ask the user to choose, in each way that a form can."""
        plain = {**TEXT, "enum": ["option1", "option2", "option3"]}
        titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
        names = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]}
        return await elicited(
            ctx,
            "Please choose",
            untitledSingle=plain,
            titledSingle={**TEXT, "oneOf": titled},
            legacyEnum={**TEXT, **names},
            untitledMulti={"type": "array", "items": plain},
            titledMulti={"type": "array", "items": {"anyOf": titled}},
        )


def _schemas(mcp: FastMCP[Any]) -> None:
    """Tools with arguments that are described in unusual ways."""

    @mcp.tool
    def test_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    ) -> ToolResult:
        """An argument that goes in a header, too."""
        return ToolResult([_text(region)])

    def nothing(**given: Any) -> str:
        return json.dumps(given)

    address = {"street": TEXT, "city": TEXT}
    parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "a", "type": "object", "properties": address}},
        "properties": {
            "name": TEXT,
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {**TEXT, "enum": ["phone", "email"]},
            "phone": TEXT,
            "email": TEXT,
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }
    mcp.add_tool(
        FunctionTool(
            fn=nothing,
            name="json_schema_2020_12_tool",
            description="Arguments in the words of JSON Schema 2020-12.",
            parameters=parameters,
        )
    )


def _changes(mcp: FastMCP[Any]) -> None:
    """Streams that stay open: what changed is told on each, to whoever asked for it."""
    bus = InMemorySubscriptionBus()
    low = mcp._mcp_server
    low.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(bus)
    )

    async def changed(event: ServerEvent) -> ToolResult:
        await bus.publish(event)
        return ToolResult([_text("told")])

    @mcp.tool
    async def test_trigger_tool_change() -> ToolResult:
        """Say that the tools have changed."""
        return await changed(ToolsListChanged())

    @mcp.tool
    async def test_trigger_prompt_change() -> ToolResult:
        """Say that the prompts have changed."""
        return await changed(PromptsListChanged())

    async def noted(ctx: ServerRequestContext[Any, Any], params: Any) -> EmptyResult:
        return EmptyResult()

    low.add_request_handler("resources/subscribe", SubscribeRequestParams, noted)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, noted)


def _resources(mcp: FastMCP[Any]) -> None:
    @mcp.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @mcp.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """A picture."""
        return base64.b64decode(PNG)

    @mcp.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text that a client may watch."""
        return "Watched."

    @mcp.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """One text for each id."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _prompts(mcp: FastMCP[Any]) -> None:
    @mcp.prompt
    def test_simple_prompt() -> str:
        """A text."""
        return "This is a simple prompt for testing."

    @mcp.prompt
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A text with arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @mcp.prompt
    def test_prompt_with_embedded_resource(resourceUri: str) -> PromptResult:
        """A resource within a prompt."""
        return PromptResult([Message(_resource(resourceUri, "text/plain", "Embedded."))])

    @mcp.prompt
    def test_prompt_with_image() -> PromptResult:
        """A picture within a prompt."""
        return PromptResult([Message(_image()), Message("Please analyze the image above.")])


def _form(message: str, **properties: Any) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(prompt: str) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=_text(prompt))]
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=messages, max_tokens=100)
    )


_NAME = {"user_name": _form("What is your name?", name=TEXT)}
_CAPITAL = {"capital_question": _sample("What is the capital of France?")}
_ROOTS = {"client_roots": ListRootsRequest()}
_CONFIRM = {"confirm": _form("Please confirm", ok={"type": "boolean"})}
_STEPS = [
    {"step1": _form("Step 1: What is your name?", name=TEXT)},
    {"step2": _form("Step 2: What is your favorite color?", color=TEXT)},
]
#: What each tool must know before it answers, round by round.
ROUNDS: dict[str, list[dict[str, Any]]] = {
    "test_input_required_result_elicitation": [_NAME],
    "test_input_required_result_sampling": [_CAPITAL],
    "test_input_required_result_list_roots": [_ROOTS],
    "test_input_required_result_request_state": [_CONFIRM],
    "test_input_required_result_tampered_state": [_CONFIRM],
    "test_input_required_result_multiple_inputs": [
        {**_NAME, "greeting": _sample("Generate a greeting"), **_ROOTS}
    ],
    "test_input_required_result_multi_round": _STEPS,
    "test_streaming_elicitation": [_CONFIRM],
}


def _round(ctx: Context, rounds: list[dict[str, Any]]) -> InputRequiredResult | None:
    """The next round, or None when every question has an answer. The state, which the SDK seals,
    counts the rounds."""
    done = int(ctx.request_state or 0)
    if done < len(rounds) and rounds[done].keys() <= (ctx.input_responses or {}).keys():
        done += 1
    if done < len(rounds):
        return InputRequiredResult(input_requests=rounds[done], request_state=str(done))
    return None


def _rounds(mcp: FastMCP[Any]) -> None:
    """Tools that ask by their answer, as in the era without sessions."""

    def add(name: str, rounds: list[dict[str, Any]]) -> None:
        async def tool(ctx: Context) -> Any:
            return _round(ctx, rounds) or ToolResult([_text("state-ok")])

        mcp.tool(tool, name=name, description="Asks, then answers.", output_schema=None)

    for name, rounds in ROUNDS.items():
        add(name, rounds)

    @mcp.tool(output_schema=None)
    async def test_input_required_result_capabilities(ctx: Context) -> Any:
        """Ask for what the client can do."""
        able = ctx.session.client_capabilities
        asked: dict[str, Any] = {}
        if able and able.sampling:
            asked |= _CAPITAL
        if able and able.elicitation:
            asked |= _NAME
        return _round(ctx, [asked]) or ToolResult([_text("nothing to ask")])

    @mcp.tool
    async def test_missing_capability(ctx: Context) -> ToolResult:
        """Refuse a client that cannot sample."""
        able = ctx.session.client_capabilities
        if able is None or able.sampling is None:
            needed: Any = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "It needs sampling.", needed)
        return ToolResult([_text("it can")])

    @mcp.prompt
    async def test_input_required_result_prompt(ctx: Context) -> Any:
        """Ask, then give a prompt."""
        asked = {"user_context": _form("What context should the prompt use?", context=TEXT)}
        return _round(ctx, [asked]) or "A prompt with a context."
