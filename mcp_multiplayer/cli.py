"""The command ``mcp-multiplayer``: one word for each thing a person runs.

Each command is a program of its own with its own ``--help``; this file only finds it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from mcp_multiplayer.config import VERSION, BadSetting, load


def _start() -> int:
    from mcp_multiplayer import start_servers

    if len(sys.argv) > 1:
        sys.exit("mcp-multiplayer start takes no arguments; its settings are in .env.example")
    return start_servers.main()


def _verify() -> int:
    from mcp_multiplayer.verifier.__main__ import main

    return main()


def _demo() -> None:
    from mcp_multiplayer.demo.show import main

    main()


def _run_bot() -> None:
    from mcp_multiplayer.workshop.run_bot import start

    start()


def _fairness() -> None:
    from mcp_multiplayer.workshop.fairness import start

    start()


def _rotate_log_key() -> None:
    from mcp_multiplayer.service.log_keys import rotate

    try:
        settings = load()
        old, new = rotate(settings.keys_dir)
    except (BadSetting, OSError) as error:
        sys.exit(str(error))
    print(f"Logs are signed with {new} from the next start of the server on.")
    print(f"{old} is kept as log-{old[:16]}.key. Back up {settings.keys_dir.absolute()}.")


#: Name -> what it is for, what runs it. The program reads `sys.argv` itself.
COMMANDS: Mapping[str, tuple[str, Callable[[], int | None]]] = {
    "start": ("run proxy and server, with the settings of .env and the environment", _start),
    "verify": ("check the record of a channel, offline", _verify),
    "demo": ("watch an honest server and cheating ones, and what the verifier says", _demo),
    "run-bot": ("run a bot without a server, in the sandbox", _run_bot),
    "fairness": ("play a bot against itself and count who wins", _fairness),
    "rotate-log-key": ("make a new key for signing logs", _rotate_log_key),
}


def usage() -> str:
    """What the command says of itself."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:<{width}}  {purpose}" for name, (purpose, _) in COMMANDS.items()]
    return "\n".join(
        ["usage: mcp-multiplayer COMMAND [--help]", "", *rows, "", f"version {VERSION}"]
    )


def main() -> int | None:
    """Run the command that the first argument names; 2 when there is none of that name."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in ("-h", "--help", "--version"):
        print(VERSION if name == "--version" else usage())
        return 0
    if name not in COMMANDS:
        if name:
            print(f"mcp-multiplayer has no command {name!r}.", file=sys.stderr)
        print(usage(), file=sys.stderr)
        return 2
    sys.argv = [f"mcp-multiplayer {name}", *sys.argv[2:]]
    return COMMANDS[name][1]()


if __name__ == "__main__":
    sys.exit(main())
