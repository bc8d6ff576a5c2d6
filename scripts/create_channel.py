"""Open a room and print its invite links. Without options: a guessing game for two.

python scripts/create_channel.py --join-as alice
python scripts/create_channel.py --bot-file my_bot.py --slot bot:echo --slot invite:player
"""

import json
from pathlib import Path

from client import connect, parser, part_of_the_dice, run


async def main() -> None:
    options = parser(__doc__, account="alice")
    options.add_argument("--name", default="", help="title of the room")
    options.add_argument("--preset", default="", help="a ready referee (GuessBot)")
    options.add_argument("--bot-file", type=Path, help="Python source of your own referee")
    options.add_argument("--params", type=json.loads, default={}, help="the referee's, as JSON")
    options.add_argument("--slot", action="append", help="bot:label or invite:label; repeat it")
    options.add_argument("--join-as", help="label of the seat to take at once")
    options.add_argument("--entropy", help="your part of the dice; left out: a fresh one")
    asked = options.parse_args()
    arguments = {"name": asked.name, "bot_params": asked.params}
    arguments |= {"slots": asked.slot} if asked.slot else {}
    if asked.join_as:
        arguments |= {"join_as": asked.join_as, "entropy": part_of_the_dice(asked.entropy)}
    if asked.bot_file:
        arguments["bot_code"] = asked.bot_file.read_text()
    else:
        arguments["bot_preset"] = asked.preset or "GuessBot"
    async with connect(asked.account, by=asked.by) as agent:
        print((await agent.call("create_channel", **arguments))["text"])


if __name__ == "__main__":
    run(main)
