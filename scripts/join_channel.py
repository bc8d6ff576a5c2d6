"""Read what an invite means, then take its seat on exactly those terms.

python scripts/join_channel.py 'http://127.0.0.1:8100/join#inv_...' --account bob
python scripts/join_channel.py 'http://127.0.0.1:8100/join#inv_...' --only-look
"""

from client import connect, parser, run


async def main() -> None:
    options = parser(__doc__, account="bob")
    options.add_argument("invite", help="a link, a code, or a rejoin token")
    options.add_argument("--only-look", action="store_true", help="do not join")
    asked = options.parse_args()
    async with connect(asked.account, browser=asked.browser) as agent:
        if asked.invite.startswith("rejoin_"):
            terms = {}
        else:
            seen = await agent.call("inspect_invite", invite_code=asked.invite)
            terms = {"expect_terms": seen["terms"]}
            print(seen["text"])
        if not asked.only_look:
            print((await agent.call("join_channel", invite_code=asked.invite, **terms))["text"])


if __name__ == "__main__":
    run(main)
