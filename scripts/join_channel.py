"""Read what an invite means, then take its seat on exactly those terms.

python scripts/join_channel.py 'http://127.0.0.1:8100/join#inv_...' --account bob
python scripts/join_channel.py 'http://127.0.0.1:8100/join#inv_...' --only-look
"""

from client import connect, parser, part_of_the_dice, run


async def main() -> None:
    options = parser(__doc__, account="bob")
    options.add_argument("invite", help="a link, a code, or a rejoin token")
    options.add_argument("--only-look", action="store_true", help="do not join")
    options.add_argument("--entropy", help="your part of the dice; left out: a fresh one")
    asked = options.parse_args()
    async with connect(asked.account, by=asked.by) as agent:
        coming_back = asked.invite.startswith("rejoin_")
        arguments = {"invite_code": asked.invite}
        if not coming_back:
            seen = await agent.call("inspect_invite", invite_code=asked.invite)
            arguments["expect_terms"] = seen["terms"]
            print(seen["text"])
        if asked.only_look:
            return
        if asked.entropy or not coming_back:
            arguments["entropy"] = part_of_the_dice(asked.entropy)
        print((await agent.call("join_channel", **arguments))["text"])


if __name__ == "__main__":
    run(main)
