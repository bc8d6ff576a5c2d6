"""Two accounts play a whole guessing game and check that the referee kept its word."""

import hashlib

from client import Agent, Json, check, connect, of_type, parser, run


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def enter(alice: Agent, bob: Agent) -> tuple[str, dict[str, int]]:
    """Open the room, look at it from outside, join; return its id and both cursors."""
    made = await alice.call(
        "create_channel",
        name="Guess Game",
        slots=["bot:guess-referee", "invite:alice", "invite:bob"],
        bot_preset="GuessBot",
        join_as="alice",
    )
    link = made["invite_links"]["bob"]
    print(f"alice opened {made['channel_id']}")
    seen = await bob.call("inspect_invite", invite_code=link)
    (referee,) = seen["bots"]
    check(
        "sha256:" + sha256(referee["source"]) == referee["code_hash"],
        "the source bob reads has the announced hash",
    )
    joined = await bob.call("join_channel", invite_code=link, expect_terms=seen["terms"])
    print(f"bob joined as {joined['player_id']}")
    woken = await alice.call(
        "sync_messages",
        channel_id=made["channel_id"],
        cursor=made["cursor"],
        until="my_turn",
    )
    check(woken["view"]["turn"]["yours"], "the first to join moves first")
    return made["channel_id"], {"alice": woken["cursor"], "bob": joined["cursor"]}


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


async def main() -> None:
    parser(__doc__).parse_args()
    async with connect("alice") as alice, connect("bob") as bob:
        room, cursors = await enter(alice, bob)
        await play(room, {"alice": alice, "bob": bob}, cursors)
        whole = await bob.call("sync_messages", channel_id=room, cursor=0, limit=500)
    messages: list[Json] = whole["messages"]
    (commitment,) = of_type(messages, "commitment")
    (reveal,) = of_type(messages, "reveal")
    check(reveal["hash"] == commitment["commitment_hash"], "the reveal names the commitment")
    check(
        sha256(str(reveal["target"]) + reveal["salt"]) == commitment["commitment_hash"],
        f"sha256(target {reveal['target']} + salt) is the commitment",
    )


if __name__ == "__main__":
    run(main)
