"""Verifies records as a stranger would: run by another Python, from another place, as nobody.

``python -I -S stranger.py LIBRARIES DIRECTORY``: every zip in the directory, a line of JSON each.
"""

import json
import sys
from pathlib import Path


def main(libraries: str, directory: str) -> None:
    """Check every file in order."""
    sys.path.insert(0, libraries)
    from mcp_multiplayer.verifier import report
    from mcp_multiplayer.verifier.check import Wishes, check_file

    for path in sorted(Path(directory).glob("*.zip")):
        told = report.data(check_file(path, Wishes()))
        said = {
            "name": path.stem,
            "states": {one["line"]: one["state"] for one in told["verdict"]},
            "found": [[one["code"], one["entry"], one["text"]] for one in told["findings"]],
            "runtime": told["runtime"],
            "executed": told["executed"],
        }
        sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
