"""All that a bot can reach was gone through, and nothing in it leads out of the language.

The walk is `tests/attacks/walker.py`. It must find something as soon as one guard of
guards.py, modules.py, vocabulary.py, files.py or typehints.py is taken away; else it would
prove nothing. The language is a first fence: test_bot_native.py tries the wall.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WALKER = ROOT / "tests" / "attacks" / "walker.py"
CUT = 60_000  #: where the walker stops
SETTINGS = ("-X", "faulthandler", "-W", "ignore")  #: a crash says at which object it was
#: The walk calls what it reaches with what no program gives it, and CPython itself has died of that
#: once in some 600 walks (signal 11; a bot would lose its worker). That is no way out, so it is
#: walked again; what dies each time is a fault.
WALKS = 3


def removable() -> list[str]:
    """The guards that the walker can take away; it is not imported here, it changes libraries."""
    for node in ast.parse(WALKER.read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "REMOVED":
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    raise AssertionError("the walker takes no guards away")


def walked(reach: str, without: str) -> Any:
    for _ in range(WALKS):
        done = subprocess.run(
            [sys.executable, *SETTINGS, str(WALKER), str(ROOT), reach, without],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode >= 0:
            break
        sys.stderr.write(done.stderr[-3000:])
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("reach", ["alone", "network"])
def test_nothing_that_a_bot_can_reach_leads_out(reach: str) -> None:
    told = walked(reach, "nothing")
    assert told["found"] == []
    assert 3_000 < told["reached"] < CUT


@pytest.mark.parametrize("guard", [name for name in removable() if name != "nothing"])
def test_the_walk_finds_a_way_out_where_a_guard_is_missing(guard: str) -> None:
    assert walked("network", guard)["found"]
