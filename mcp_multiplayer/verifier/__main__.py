"""`python -m mcp_multiplayer.verifier FILE`: the command.

No network, no account, no configuration: what is checked is what was given.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has a file to check has any Python
    sys.exit("verifier needs Python 3.11 or later")

MOST = 1 << 20  #: bytes of a note or receipt

_EPILOG = """\
The verdict has six lines, each PROVEN, NOT PROVEN (with what would settle it) or VIOLATED:
  RULES         the announced code produced every word of the referee
  RECORD        complete, in order, signed by the room's key
  DICE          who had a say in them, and against whom that holds
  SAME FOR ALL  everybody was shown this very log: needs what the others saw (--line, --head-of)
  WORDS         confirmed by those who are said to have spoken (--confirm)
  OUTSIDE       times and answers of the network: the server's word, never PROVEN
Exit status: 1 a line is VIOLATED, 0 all but OUTSIDE are PROVEN, 2 otherwise, 3 bad usage.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="verifier",
        description="Check the record of a room offline: execute its referees again and compare.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("file", type=Path, metavar="FILE", help="the zip that get_transcript links to")
    add("--json", action="store_true", help="print the report as JSON")
    many = partial(made.add_argument, action="append", default=[])
    many("--invite", help="the invite link you joined with: pins the key and the beginning")
    many("--line", metavar='"bob: 27 S8FX…"', help="size and root that a member saw")
    many("--head-of", metavar="bob=FILE", help="a signed head that a member kept")
    many("--receipt", metavar="FILE", help="a .tlog-proof that you (--me) got for a post")
    many("--confirm", metavar="LABEL", help="this member has confirmed their words")
    many("--gave", metavar="bob=VALUE", help="what this member gave to the dice (entropy)")
    many("--saw", metavar="bob=FILE", help="what tools told this member, as they printed it")
    add("--me", metavar="LABEL", help="whose file this is: that member need not be compared")
    add("--no-exec", action="store_true", help="run no code of strangers; RULES stays NOT PROVEN")
    add(
        "--max-seconds",
        type=float,
        default=600.0,
        metavar="N",
        help="for all hooks together; the rest as much again",
    )
    add("--evidence", type=Path, metavar="DIR", help="where evidence goes (FILE's evidence/)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    # What the pool logs is for operators of servers; the report says what matters here.
    logging.getLogger("mcp_multiplayer").addHandler(logging.NullHandler())
    made = parser()
    try:
        given = made.parse_args(arguments)
        notes = [_named(text, "--head-of") for text in given.head_of]
        saw = [_named(text, "--saw") for text in given.saw]
        gave = [_pair(text, "--gave takes LABEL=VALUE") for text in given.gave]
        receipts = [(Path(name).name, _read(Path(name))) for name in given.receipt]
        if not given.file.is_file():
            raise ValueError(f"{given.file} is not a file")
    except SystemExit as error:
        return 3 if error.code else 0
    except (OSError, ValueError) as error:
        _say(f"verifier: {_safe(error)}\n", sys.stderr)
        return 3
    from mcp_multiplayer.verifier import check, evidence, report

    wishes = check.Wishes(
        invites=given.invite,
        lines=given.line,
        heads=notes,
        receipts=receipts,
        confirmed=given.confirm,
        gave=gave,
        saw=saw,
        me=given.me,
        execute=not given.no_exec,
        max_seconds=given.max_seconds,
    )
    checked = check.check_file(given.file, wishes)
    _say((json.dumps(report.data(checked)) if given.json else report.text(checked)) + "\n")
    if checked.exit_code == 1:
        directory = given.evidence or given.file.resolve().parent / "evidence"
        try:
            evidence.write(checked, directory)
            _say(f"evidence: {_safe(directory)}\n", sys.stderr)
        except OSError as error:
            _say(f"verifier: no evidence could be written: {_safe(error)}\n", sys.stderr)
    return checked.exit_code


def _named(text: str, option: str) -> tuple[str, str]:
    label, name = _pair(text, f"{option} takes LABEL=FILE")
    return label, _read(Path(name))


def _pair(text: str, usage: str) -> tuple[str, str]:
    label, equals, value = text.partition("=")
    if not equals:
        raise ValueError(usage)
    return label, value


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise ValueError(f"{path} is too large for a note")
    return data.decode()


def _safe(text: object) -> str:
    from mcp_multiplayer.verifier import report

    return report.safe(text)


def _say(text: str, to: object = None) -> None:
    stream = sys.stdout if to is None else sys.stderr
    stream.buffer.write(text.encode("utf-8", "replace"))
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
