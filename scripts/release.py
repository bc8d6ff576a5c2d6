"""Makes what a release publishes beside the wheel: verifier.pyz, and server.json for registries of
MCP servers, which carries its sha256. Prints the line of it for the notes:

    python scripts/release.py OWNER/NAME DIRECTORY

The hash is of all that the verifier is made of, so it is known when a version is, and server.json
stands in no commit. OWNER/NAME is the repository on GitHub, under whose name a registry lists it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from mcp_multiplayer.config import VERSION
from mcp_multiplayer.edge import product
from mcp_multiplayer.verifier import build

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
VERIFIER = "verifier.pyz"
#: The one key of `_meta` that the official registry keeps.
PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"


def manifest(repository: str, sha256: str) -> dict[str, Any]:
    """server.json. There is no server of the project's own, so its address is asked for."""
    owner, _, name = repository.partition("/")
    host = {"description": "Host of the server that you were invited to", "isRequired": True}
    remote = {"type": "streamable-http", "url": "https://{host}/mcp", "variables": {"host": host}}
    return {
        "$schema": SCHEMA,
        "name": f"io.github.{owner}/{name}",
        "title": product.NAME,
        "description": product.BRIEF,
        "version": VERSION,
        "repository": {"url": f"https://github.com/{repository}", "source": "github"},
        "remotes": [remote],
        "_meta": {PUBLISHER: {"verifier": {"file": VERIFIER, "sha256": sha256}}},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("repository", metavar="OWNER/NAME")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    given = parser.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    made = build.build()
    (given.directory / VERIFIER).write_bytes(made)
    sha256 = hashlib.sha256(made).hexdigest()
    text = json.dumps(manifest(given.repository, sha256), indent=2)
    (given.directory / "server.json").write_text(f"{text}\n")
    sys.stdout.write(f"{sha256}  {VERIFIER}\n")


if __name__ == "__main__":
    main()
