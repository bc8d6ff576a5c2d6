"""Bring a referee of your own: the EchoBot of the design, as written there."""

import hashlib

from client import check, connect, parser, run

ECHO_BOT = """
class EchoBot:
    def __init__(self, ctx, params):
        self.ctx = ctx

    def on_init(self):
        self.ctx.post('system', {'text': 'Echo ready'})

    def on_message(self, msg):
        if msg.get('kind') == 'user':
            self.ctx.post('bot', {'echo': msg.get('body')})
"""


async def main() -> None:
    parser(__doc__).parse_args()
    async with connect("alice") as alice:
        made = await alice.call(
            "create_channel",
            name="Echo Game",
            slots=["bot:echo", "invite:player"],
            bot_code=ECHO_BOT,
        )
        joined = await alice.call("join_channel", invite_code=made["invites"][0])
        room = made["channel_id"]
        code = await alice.call("get_bot_code", channel_id=room, bot_id="echo")
        ours = "sha256:" + hashlib.sha256(ECHO_BOT.encode()).hexdigest()
        check(code["code"] == ECHO_BOT and code["code_hash"] == ours, "the room runs our source")
        said = [m["body"] for m in joined["messages"] if m["sender"] == "bot:echo"]
        check(said == [{"text": "Echo ready"}], "on_init spoke")
        answer = await alice.call("post_message", channel_id=room, body="Hello!")
        echoes = [m["body"] for m in answer["messages"] if m["sender"] == "bot:echo"]
        check(echoes == [{"echo": {"text": "Hello!"}}], "on_message answered in the same call")


if __name__ == "__main__":
    run(main)
