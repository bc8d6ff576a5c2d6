"""What an author should do about an error."""

from __future__ import annotations

import re
from collections.abc import Callable

from mcp_multiplayer.sandbox.language.mistakes import CALLED

_MESSAGE = (
    'a message is {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "heads"},'
    ' "ts": "..."}'
)
_INSTEAD = {
    "player": "sender",
    "player_id": "sender",
    "from": "sender",
    "user": "sender",
    "author": "sender",
    "text": 'body"]["text',
    "content": "body",
    "message": "body",
    "type": 'body"]["type',
    "timestamp": "ts",
    "time": "ts",
}
_STATE = re.compile(r"state|self\.|\bs\[")  #: a line that reads what the author keeps
_FIELDS = {"id", "sender", "kind", "body", "ts", "to", *_INSTEAD}
_NAMES = {
    "ctx": "write self.ctx, and keep it in __init__: self.ctx = ctx",
    "params": "write self.params",
    "id": "object identities differ from run to run; use a counter in the state",
}
_CTX = (
    "ctx has post, get_state, set_state, set_turn, end, set_timer, cancel_timer, now, random, "
    "players, bot_id, workspace"
)
_ANEW = (
    "the class is built anew for every event, so what one event puts on self the next does not "
    "find: keep it with self.ctx.set_state({...}) and read it in __init__ from ctx.get_state()"
)
_POST = 'ctx.post("bot", {"text": "hello"}): the kind first, then the body'
_END = 'ctx.end({"winners": ["alice"], "reason": "..."})'
_TEXT = 'msg["body"] is an object; what was said in words is msg["body"].get("text", "")'


def hint_for(error: BaseException, line: str = "") -> str:
    """One sentence, or nothing. ``line`` is the author's, where it went wrong."""
    for kind, advise in _ADVICE.items():
        if isinstance(error, kind):
            return advise(error, line)
    return ""


def _key(error: BaseException, line: str) -> str:
    key = error.args[0] if error.args else None
    name = key if isinstance(key, str) else "..."
    if "params" in line:
        return f'params holds what was given: params.get("{name}", <what you do without>)'
    if isinstance(key, str) and key in _INSTEAD and ("msg" in line or not _STATE.search(line)):
        return f'a message has "{_INSTEAD[key]}", not "{key}": {_MESSAGE}'
    if "msg" in line and "self.s" not in line:
        return f'{_MESSAGE}; a body may lack anything: msg["body"].get("{name}")'
    shown = repr(key) if type(key) in (str, int) else "..."  # another's repr would be bot code
    return f"the state is {{}} until set_state, and keys are text: read it with .get({shown}, ...)"


def _attribute(error: BaseException, line: str) -> str:
    found = re.search(r"'(\w+)' object has no attribute '(\w+)'", str(error))
    if found is None:
        return ""
    owner, name = found.groups()
    if name == "ctx":
        return "keep the context in __init__(self, ctx, params): self.ctx = ctx"
    if owner == "Context":
        return _CTX
    if owner == "NoneType":
        return 'what .get() does not find is None; give it a default: msg["body"].get("text", "")'
    if owner == "dict" and hasattr("", name):
        return _TEXT
    if owner == "dict":
        what = _INSTEAD.get(name, name)
        return f'a dict has keys: write ["{what}"]' + (f"; {_MESSAGE}" if name in _FIELDS else "")
    return _ANEW if f"self.{name}" in line else ""


def _type(error: BaseException, line: str) -> str:
    told = str(error)
    if re.search(r"\.(on_[a-z]+|__init__)\(\) (takes|missing)", told):
        return CALLED
    if "Context.end()" in told:
        return _END
    if told.startswith("post: body") or "Context.post()" in told:
        return _POST
    if "object is not callable" in told and ".players" in line:
        return "ctx.players is a list: without ()"
    if "object is not callable" in told and ".random" in line:
        return "ctx.random.randint(1, 6), .choice([...]), .shuffle(list), .random()"
    if "'method'" in told or "'builtin_function_or_method'" in told:
        return "call it: with ()"
    return ""


def _value(error: BaseException, line: str) -> str:
    told = str(error)
    if told.startswith("post: kind"):
        return _POST
    if "invalid literal for int()" in told or "could not convert string to float" in told:
        return "players write what they like: look first, as with text.isdigit()"
    if "is not a JSON value" in told and "use " not in told:
        return "state, bodies and expect hold text, numbers, true, false, null, lists, dicts"
    return ""


def _name(error: BaseException, line: str) -> str:
    return _NAMES.get(getattr(error, "name", None) or "", "")


def _plain(words: str) -> Callable[[BaseException, str], str]:
    return lambda error, line: words


#: The first kind that an error is of advises.
_ADVICE: dict[type[BaseException], Callable[[BaseException, str], str]] = {
    KeyError: _key,
    NameError: _name,
    AttributeError: _attribute,
    TypeError: _type,
    ValueError: _value,
    IndexError: _plain("a move may be shorter than you think: look at len(...) first"),
    ZeroDivisionError: _plain("look whether it is 0 first"),
    MemoryError: _plain("a hook has 512 MB of memory"),
    RecursionError: _plain("a function calls itself without end"),
}
