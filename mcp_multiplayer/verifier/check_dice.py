"""Who had a say in the dice, and against whom that holds.

The walk has recomputed every key and every draw; here is asked what that is worth. A seed
that the server could have chosen after reading the players' words is worth nothing, however well it
matches.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcp_multiplayer.channel.model import Channel, Share
from mcp_multiplayer.verifier.findings import Findings
from mcp_multiplayer.verifier.parse_log import Log
from mcp_multiplayer.verifier.replay_log import Draw, Walked


def judge(walked: Walked, log: Log, findings: Findings) -> None:
    """Add what keeps the dice from being PROVEN."""
    channel = walked.channel
    known = set() if walked.bench is None else walked.bench.known_seeds.keys()
    for draw in walked.draws:
        bot, name = draw.bot, f"{draw.bot.at}"
        if (bot.at, bot.dice.epoch) not in known:
            text = f"bot {bot.id} drew from a seed that is not out; it comes out at the end"
            findings.once("I_RNG_SEED", name, text, draw.entry)
        if channel.started is None or draw.on < channel.started:
            text = f"bot {bot.id} drew before the game began: the server alone chose those dice"
            findings.once("I_RNG_EARLY", name, text, draw.entry)
            continue
        _judge_shares(walked, log, findings, draw)
        _judge_age(walked, findings, draw)
    _judge_unseen(walked, findings)
    if walked.draws and walked.aborted:
        text = "somebody did not open a commitment in time, so their words are not in the dice"
        findings.add("I_ABORT", text, walked.aborted[0])


def _judge_age(walked: Walked, findings: Findings, draw: Draw) -> None:
    """Each seed has its own dice. Which of two was used must not have been for a clock to say."""
    aged = walked.aged.get(draw.bot.at)
    if draw.overdue or (aged is not None and aged < draw.entry):
        text = (
            f"bot {draw.bot.id} drew when a seed had come out, or was due, by its age: the "
            "server's clock had a choice between two dice"
        )
        findings.once("I_RNG_AGE", f"{draw.bot.at}", text, draw.entry)


def _judge_unseen(walked: Walked, findings: Findings) -> None:
    """Of a referee that was not executed only its own receipts say what it drew."""
    for at in sorted(walked.bench.unjudged if walked.bench else ()):
        bot = next((b for b in walked.channels[at].bots if b.at == at), None)
        if bot is not None:  # whatever its source shows: libraries draw, too
            text = f"what bot {bot.id} drew was not all checked (see RULES)"
            findings.add("I_RNG_UNCHECKED", text, at)


def _judge_shares(walked: Walked, log: Log, findings: Findings, draw: Draw) -> None:
    bot, key = draw.bot, f"{draw.bot.at}"
    shares = counted(walked, draw)
    given = {share.slot for share in shares}
    without = [slot.label for slot in walked.seated_at_start if slot.id not in given]
    if not shares:
        text = f"no player's words are in the dice of bot {bot.id}: the server alone chose them"
        findings.once("I_RNG_SERVER", key, text, draw.entry)
    elif without:
        text = f"{', '.join(without)} gave no entropy that counts for bot {bot.id}"
        findings.once("I_RNG_SILENT", key, text, draw.entry)
    elif all(log.step_of[share.given] == log.step_of[bot.at] for share in shares):
        text = "all entropy was given in the request that fixed the seed: it binds nobody"
        findings.once("I_RNG_SERVER", key, text, draw.entry)


def counted(walked: Walked, draw: Draw) -> Sequence[Share]:
    """The members' parts in the dice of a draw."""
    return [share for share in walked.channel.entropy if share.given > draw.bot.at]


def against(walked: Walked) -> str:
    """Against whom dice hold that nothing speaks against, in one sentence."""
    committed = sorted(_committed(walked))
    if committed:
        rest = walked.members.keys() - set(committed)
        others = "; for the others against the server alone and any player alone"
        return (
            f"This holds for {' and '.join(committed)}, who committed before opening, whatever all "
            f"others and the server did together{others if rest else ''}."
        )
    return (
        "This holds against the server alone and against any player alone; not against the "
        "server together with a player, whose words it may have had after all others' (a "
        "commitment would)."
    )


def _committed(walked: Walked) -> set[str]:
    """Labels of those whose words nobody knew when the last of the others' were fixed.

    From the moment at which every seat was taken they may have told the server. Whoever came,
    went or spoke after that can have done so because of what they had said.
    """
    channels, start = walked.channels, walked.channel.started
    found: set[str] = set()
    for entry in walked.opened if start is not None else ():
        before = channels[entry - 1]
        slot = next(s for s in before.seats if channels[entry].slot(s.id).commit != s.commit)
        first = next(n for n in range(slot.given, entry) if channels[n].sealed is not None)
        if _places(channels[first]) == _places(channels[start or 0]):
            found.add(slot.label)
    return found


def _places(channel: Channel) -> set[tuple[str, int, int]]:
    """Who sits where since when, and when they gave or promised their words."""
    return {(slot.id, slot.since, slot.given) for slot in channel.seated}
