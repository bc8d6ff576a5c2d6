"""Drop the connection in mid-game, come back, go on; then hand the seat to another login."""

from client import Failed, check, connect, parser, run


async def main() -> None:
    parser(__doc__).parse_args()
    async with connect("alice") as alice:
        made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
    room, token = made["channel_id"], made["rejoin_token"]
    print("alice opened a room; her connection is gone")

    async with connect("bob") as bob:
        await bob.call("join_channel", invite_code=made["invite_links"]["bob"])
    print("bob joined; his connection is gone")

    async with connect("alice") as alice:
        rooms = {r["channel_id"]: r for r in (await alice.call("list_channels"))["channels"]}
        check(rooms[room]["seats"] == ["alice"], "alice finds her seat again without any token")
        check(rooms[room]["your_turn"], "and is told that it is her turn")
        moved = await alice.call(
            "post_message", channel_id=room, body="guess 0", cursor=made["cursor"]
        )
        said = [m["body"].get("result") for m in moved["messages"]]
        check("invalid" in said, "the game goes on where it was")
        again = await alice.call(
            "post_message", channel_id=room, body="guess 0", cursor=made["cursor"]
        )
        check(again["msg_id"] == moved["msg_id"], "the repeated call was the same post")

    async with connect("alice-elsewhere") as elsewhere:
        back = await elsewhere.call("join_channel", invite_code=token)
        check(back["player_id"] == "alice", "the rejoin token gives another login the same seat")
        await elsewhere.call("post_message", channel_id=room, body="It is me.")

    async with connect("alice") as alice:
        try:
            await alice.call("post_message", channel_id=room, body="guess 1")
        except Failed as refusal:
            check(str(refusal).startswith("NOT_MEMBER"), "the old login has lost the seat")
        else:
            raise Failed("NOT SO: the old login has lost the seat")
        await alice.call("join_channel", invite_code=token)
        print("alice took her seat back with the same token")


if __name__ == "__main__":
    run(main)
