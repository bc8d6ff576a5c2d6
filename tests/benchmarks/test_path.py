"""The way of a post and of a sign-in is counted, whatever it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import ROOT

pytestmark = pytest.mark.servers


def test_both_ways_are_counted_through_the_real_pair(tmp_path: Path) -> None:
    found = tmp_path / "path.json"
    command = [sys.executable, "-m", "benchmarks.path", "--json", str(found)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(found.read_text())
    assert told.keys() == {"post", "sign_in"}
    for name, file in (("post", "channel/decide.py"), ("sign_in", "edge/auth/grants.py")):
        way = told[name]
        assert file in way["by file"]
        assert way["calls"] == sum(sum(calls.values()) for calls in way["by file"].values())
        assert way["files"] == len(way["by file"]) and 0 < way["moves"] < way["calls"]
