"""What a third party needs to see a violation too, as files.

Written beside the file that was checked, under names of our own: nothing that a stranger
wrote becomes a path, and nothing that lies there is followed. Whoever packed the record may have
packed links with it.
"""

from __future__ import annotations

import errno
import json
import re
from itertools import islice
from pathlib import Path

from mcp_multiplayer.verifier import report
from mcp_multiplayer.verifier.check import Checked

FIRST = "Evidence of a violation in the room"
README = f"""{FIRST} {{origin}}.

report.txt        what the verifier said
report.json       the same for programs, with what was expected in each place
entry-N.json      entry N as it stands in the record: its exact bytes
expected-N.json   what the rules or the announced source lead to instead
*.note            signed heads. Two of one size with different roots, both under the room's own
                  key, show to anybody that the server has signed two logs; so does one whose root
                  is not that of as many first entries of a record with a signed head

The record itself belongs to it: whoever has record and verifier sees the same. {{origin}} is
the room's name, and the key that signs for it stands in entry 0 of its log.
"""
MOST = 200  #: findings that get files of their own; report.json has all
#: What stands there only for some violations, so that an earlier run's would stay.
_SOMETIMES = re.compile(r"(entry|expected)-[0-9]+\.json|head-[0-9]+\.note")


def write(checked: Checked, directory: Path) -> list[Path]:
    """Write the evidence and return its files; OSError if the directory is a link."""
    directory.mkdir(parents=True, exist_ok=True)
    if directory.is_symlink():
        raise OSError(
            errno.ELOOP, "it is a link; name another directory with --evidence", directory
        )
    files: dict[str, str] = {
        "README.txt": README.format(origin=report.safe(checked.origin)),
        "report.txt": report.text(checked) + "\n",
        "report.json": json.dumps(report.data(checked), indent=1) + "\n",
    }
    for place, (_, text) in enumerate(sorted(_notes(checked).items())):
        files[f"head-{place + 1}.note"] = text
    violated = (one for one in checked.findings.found if one.violated)
    for one in islice(violated, MOST):
        if one.entry is None:
            continue
        if "expected" in one.evidence:
            shown = json.dumps(one.evidence["expected"], indent=1, sort_keys=True)
            files[f"expected-{one.entry}.json"] = shown + "\n"
        if checked.log is not None and one.entry < checked.log.size:
            line = checked.log.lines[one.entry]
            if line.data:  # of an erased one only the hash is here
                files[f"entry-{one.entry}.json"] = line.data.decode()
    _clear(directory)
    written = []
    for name, text in files.items():
        path = directory / name
        path.unlink(missing_ok=True)  # it may be a link to something else
        with path.open("xb") as file:
            file.write(text.encode("utf-8", "replace"))
        written.append(path)
    return written


def _clear(directory: Path) -> None:
    """Take away what an earlier run has left here: it is no evidence of this violation."""
    readme = directory / "README.txt"
    if not readme.is_file() or not readme.read_bytes().startswith(FIRST.encode()):
        return
    for path in directory.iterdir():
        if _SOMETIMES.fullmatch(path.name) and path.is_file():
            path.unlink()


def _notes(checked: Checked) -> dict[str, str]:
    return {} if checked.heads is None else checked.heads.notes
