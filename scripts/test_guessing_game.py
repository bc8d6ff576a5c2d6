"""Two accounts play a whole guessing game, check the reveal, and have the record verified.

python scripts/test_guessing_game.py
python scripts/test_guessing_game.py --record my_game.zip
"""

import asyncio
import hashlib
import shlex
import subprocess
import sys
from pathlib import Path

from client import (
    ROOT,
    Agent,
    Json,
    check,
    connect,
    of_type,
    parser,
    part_of_the_dice,
    record_of,
    run,
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def enter(alice: Agent, bob: Agent, gave: dict[str, str]) -> tuple[str, str, dict[str, int]]:
    """Open the room, look at it from outside, join; return its id, bob's link, both cursors."""
    made = await alice.call(
        "create_channel",
        name="Guess Game",
        slots=["bot:guess-referee", "invite:alice", "invite:bob"],
        bot_preset="GuessBot",
        join_as="alice",
        entropy=gave["alice"],
    )
    link = made["invite_links"]["bob"]
    print(f"alice opened {made['channel_id']}")
    seen = await bob.call("inspect_invite", invite_code=link)
    (referee,) = seen["bots"]
    check(
        "sha256:" + sha256(referee["source"]) == referee["code_hash"],
        "the source bob reads has the announced hash",
    )
    joined = await bob.call(
        "join_channel", invite_code=link, expect_terms=seen["terms"], entropy=gave["bob"]
    )
    print(f"bob joined as {joined['player_id']}")
    woken = await alice.call(
        "sync_messages",
        channel_id=made["channel_id"],
        cursor=made["cursor"],
        until="my_turn",
    )
    check(woken["view"]["turn"]["yours"], "the first to join moves first")
    return made["channel_id"], link, {"alice": woken["cursor"], "bob": joined["cursor"]}


async def play(room: str, players: dict[str, Agent], cursors: dict[str, int]) -> None:
    """Halve the interval in turns until somebody hits."""
    low, high, turn = 1, 100, 0
    while True:
        mover, guess = ("alice", "bob")[turn % 2], (low + high) // 2
        answer = await players[mover].call(
            "post_message", channel_id=room, body=f"guess {guess}", cursor=cursors[mover]
        )
        cursors[mover] = answer["cursor"]
        result = of_type(answer["messages"], "judge")[-1]["result"]
        print(f"{mover}: guess {guess} -> {result}")
        if result == "correct":
            return
        low, high = (low, guess - 1) if result == "high" else (guess + 1, high)
        turn += 1


def verify(record: Path, link: str, gave: dict[str, str], heads: dict[str, Json]) -> None:
    """Judge the record with what both players have kept, in a process that asks no server."""
    told = ["--invite", link]
    for player, head in heads.items():
        told += ["--line", f"{player}: {head['size']} {head['root']}"]
        told += ["--gave", f"{player}={gave[player]}", "--confirm", player]
    command = [sys.executable, "-m", "mcp_multiplayer.verifier", str(record.resolve()), *told]
    print(f"\nThe record is in {record}. In {ROOT}:\n{shlex.join(command)}\n", flush=True)
    verifier = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    print(verifier.stdout.partition("\nFindings")[0])
    check(verifier.returncode == 0, "all that a verifier can prove is proven")


def compare(messages: list[Json]) -> None:
    """Check the reveal against the commitment, as either player can."""
    (commitment,) = of_type(messages, "commitment")
    (reveal,) = of_type(messages, "reveal")
    check(reveal["hash"] == commitment["commitment_hash"], "the reveal names the commitment")
    check(
        sha256(str(reveal["target"]) + reveal["salt"]) == commitment["commitment_hash"],
        f"sha256(target {reveal['target']} + salt) is the commitment",
    )


async def main() -> None:
    options = parser(__doc__)
    options.add_argument(
        "--record", type=Path, default=Path("game.zip"), help="where the record goes (%(default)s)"
    )
    asked = options.parse_args()
    async with connect("alice") as alice, connect("bob") as bob:
        players = {"alice": alice, "bob": bob}
        gave = {name: part_of_the_dice() for name in players}
        room, link, cursors = await enter(alice, bob, gave)
        await play(room, players, cursors)
        whole = await bob.call("sync_messages", channel_id=room, cursor=0, limit=500)
        heads = {
            name: (await player.call("get_channel_info", channel_id=room))["view"]["head"]
            for name, player in players.items()
        }
        record = await record_of(bob, room)
    compare(whole["messages"])
    await asyncio.to_thread(asked.record.write_bytes, record)
    await asyncio.to_thread(verify, asked.record, link, gave, heads)


if __name__ == "__main__":
    run(main)
