"""Texts counted in tokens as language models count them, of o200k_base."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests import npm

COUNT = """
const { encode } = require("gpt-tokenizer/cjs/encoding/o200k_base");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => encode(text).length)));
"""
Count = Callable[[list[str]], list[int]]


def counter(cache: Path) -> Count:
    """Counts the tokens of each text. The vocabulary comes into pytest's ``cache``."""
    directory = npm.installed(cache / "tokenizer", npm.TOKENIZER)

    def counted(texts: list[str]) -> list[int]:
        done = subprocess.run(
            [npm.NODE, "-e", COUNT],
            cwd=directory,
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        numbers: list[int] = json.loads(done.stdout)
        return numbers

    return counted
