"""What an author should do about an error. Changes when authors keep tripping over something."""

from __future__ import annotations

_MESSAGE = (
    'a message is {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "heads"},'
    ' "ts": "..."}'
)
_INSTEAD = {
    "player": "sender", "player_id": "sender", "from": "sender", "user": "sender",
    "author": "sender", "text": 'body"]["text', "content": "body", "message": "body",
    "type": 'body"]["type', "timestamp": "ts", "time": "ts",
}  # fmt: skip
_NAMES = {
    "ctx": "write self.ctx, and keep it in __init__: self.ctx = ctx",
    "params": "write self.params",
    "id": "object identities differ from run to run; use a counter in the state",
}


def hint_for(error: BaseException) -> str:
    """One sentence, or nothing."""
    if isinstance(error, KeyError) and error.args and error.args[0] in _INSTEAD:
        return f'a message has "{_INSTEAD[error.args[0]]}", not "{error.args[0]}": {_MESSAGE}'
    if isinstance(error, NameError):
        return _NAMES.get(error.name or "", "")
    if isinstance(error, MemoryError):
        return "a hook has 512 MB of memory"
    if isinstance(error, RecursionError):
        return "a function calls itself without end"
    if isinstance(error, AttributeError) and str(error).endswith("no attribute 'ctx'"):
        return "keep the context in __init__(self, ctx, params): self.ctx = ctx"
    return ""
