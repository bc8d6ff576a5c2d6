"""A verifier's replayer with hostile referees in it, in a program of its own, as this or that user.

Run as ``python verifier_lab.py``: rows as JSON on the way in, outcomes and what was left over on
the way out. In a native row the language is lost: the hook's process executes the source as it
stands.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: In the zygote: a native source is executed without any guard.
NATIVE = """
from mcp_multiplayer.sandbox.worker import serve
guarded, compiled = serve.answer, serve.compile_source
REPORT = {"hooks": ["on_init"], "class_name": "Native", "manifest": None,
          "network": False, "dice": False}
def read(source, *library):
    if not source.startswith("# native"):
        return compiled(source, *library)
    return {"report": REPORT}, b"native"
def answer(request, code, **more):
    source = request["call"]["source"]
    if not source.startswith("# native"):
        return guarded(request, code, **more)
    space = {}
    try:
        exec(source, space)
        said = repr(space.get("got"))
    except BaseException as error:
        said = type(error).__name__
    return {"finished": {"said": [{"kind": "bot", "body": {"got": said}}], "state": None,
                         "turn": None, "end": None, "timers": {}, "prints": ""}}
serve.answer, serve.compile_source = answer, read
"""


def main(told: dict[str, Any]) -> dict[str, Any]:
    """Every row once, then what is left."""
    from mcp_multiplayer.sandbox.call import Failed, HookCall, Limits
    from mcp_multiplayer.sandbox.host import forkserver
    from mcp_multiplayer.verifier.replay import Replayer

    first, last = forkserver.PROGRAM.strip().rsplit("\n", 1)
    forkserver.PROGRAM = f"{first}\n{NATIVE}\n{last}"
    outcomes: dict[str, str] = {}
    seconds: dict[str, float] = {}
    with Replayer(Limits(memory=told["memory"]), seconds=told["seconds"]) as replayer:
        walls = replayer.walls
        for name, source in told["rows"].items():
            began = time.monotonic()
            result = replayer.run(HookCall(source, "on_init", key=b"k" * 32))
            seconds[name] = time.monotonic() - began
            failed = isinstance(result, Failed)
            outcomes[name] = result.error if failed else json.dumps(_said(result))  # type: ignore[union-attr]
    return {
        "walls": walls,
        "outcomes": outcomes,
        "slowest": max(seconds.values()),
        "left": _processes(),
        "files": os.listdir(tempfile.gettempdir()),
    }


def _said(result: Any) -> Any:
    return result.said[0].body["got"] if result.said else None


def _processes() -> list[str]:
    """Whoever still runs the program of the hooks' parent with our number in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if f'"host": {os.getpid()},'.encode() in line:
            found.append(path.parent.name)
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
