"""Print an access token, for curl:

curl -H "Authorization: Bearer $(python scripts/get_token.py)" http://127.0.0.1:8100/list_bots
"""

from client import Settings, SignIn, parser, run


async def main() -> None:
    asked = parser(__doc__, account="default").parse_args()
    print(SignIn(Settings.load()).token(asked.account, by=asked.by))


if __name__ == "__main__":
    run(main)
