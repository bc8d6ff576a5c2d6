"""JudgeBot as scripts: terms, claims, evidence, and rulings worked out again from the rules."""

import hashlib
import random
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.wandering import heard_by, wander

SOURCE = source_of("judge_bot.py")
POEM, PROOF = "Rain, rain, go away", "the oracle says: bob lost"
pytestmark = pytest.mark.asyncio(loop_scope="module")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


TERMS = f"A poem for a bet.\nduty: bob sha256:{sha(POEM)}\r\n  proof: bob sha256:{sha(PROOF)}\nEnd."


def new(runner: Runner, **params: Any) -> Table:
    return Table(runner, SOURCE, params, bot_id="judge")


async def in_force(runner: Runner, *more: str, **params: Any) -> Table:
    """Terms that both have accepted."""
    made = new(runner, **{"terms": TERMS, "seconds": 60, **params})
    await made.begin("alice", "bob", *more)
    for player in ("alice", "bob"):
        await made.say(player, "accept " + sha(made.said("terms")[-1]["text"]))
    return made


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    return await in_force(pool)


def result(table: Table) -> tuple[list[str], str]:
    assert table.end is not None
    return list(table.end["winners"]), table.end["reason"]


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "JudgeBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "judge"
    assert not report.dice and not report.network


async def test_terms_are_in_force_when_both_have_accepted_the_same_hash(pool: Pool) -> None:
    table = new(pool, seconds=60)
    await table.begin("alice", "bob")
    assert table.movers == ["alice", "bob"] and table.expect["body"][1] == "cancel"
    assert "no proposal" in await table.refused("bob", "accept " + "0" * 64)
    (terms,) = await table.say("alice", "Propose  Bob pays\nfor lunch. ")
    assert terms == {
        "type": "terms",
        "by": "alice",
        "hash": sha("Bob pays\nfor lunch."),
        "text": "Bob pays\nfor lunch.",
        "duties": [],
        "proofs": [],
    }
    assert table.expect["body"] == ["accept " + terms["hash"], "cancel"]
    await table.say("alice", table.expect["body"][0])
    assert table.movers == ["bob"]
    for text in ("accept", "accept " + "0" * 64):  # it says what would be taken
        assert f'"accept {terms["hash"]}"' in await table.refused("bob", text)
    assert "waiting for bob" in await table.refused("alice", "accept " + terms["hash"])
    await table.say("bob", "ACCEPT sha256:" + terms["hash"])
    assert table.said("in_force") == [{"type": "in_force", "hash": terms["hash"], "seconds": None}]
    assert table.movers == ["alice", "bob"] and table.seconds is None


async def test_another_proposal_voids_what_was_accepted_before(pool: Pool) -> None:
    table = new(pool, terms="One.")
    await table.begin("alice", "bob")
    await table.say("alice", "accept " + sha("One."))
    await table.say("bob", "propose Two.")
    assert table.movers == ["alice", "bob"]
    assert "another hash" in await table.refused("bob", "accept " + sha("One."))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cancel", "bob ended the talks"),
        ("leave", "bob left before there was an agreement"),
        ("late", "no agreement in time"),
    ],
)
async def test_without_an_agreement_nobody_wins(pool: Pool, how: str, reason: str) -> None:
    table = new(pool, terms="One.")
    await table.begin("alice", "bob")
    await table.say("alice", "accept " + sha("One."))
    if how == "leave":
        await table.leave("bob")
    elif how == "late":
        assert table.seconds == 86400
        await table.late()
    else:
        await table.say("bob", how)
    assert result(table) == ([], reason)


async def test_terms_are_kept_when_both_say_so_and_dissolved_when_both_cancel(table: Table) -> None:
    await table.say("alice", "fulfilled")
    assert table.movers == ["bob"]
    assert "you have said" in await table.refused("alice", "claim no")
    await table.say("bob", "cancel")
    assert table.movers == ["bob"]  # alice has said what she had to say
    await table.say("bob", "fulfilled")
    assert result(table) == (["alice", "bob"], "both say that the terms are kept")
    await table.say("alice", "rematch")
    await table.say("bob", "rematch")
    for player in ("alice", "bob"):
        await table.say(player, "accept " + sha(TERMS))
    await table.say("bob", "cancel")
    await table.say("alice", "cancel")
    assert result(table) == ([], "both cancel the terms")


async def claim(table: Table, player: str = "alice") -> None:
    (said,) = await table.say(player, "claim It was not done.")
    assert said["against"] != player and said["text"] == "It was not done."


async def test_a_claim_that_is_admitted_is_won(table: Table) -> None:
    await claim(table)
    assert table.movers == ["bob"] and table.expect["body"][0] == "admit"
    assert "your claim" in await table.refused("alice", "admit")
    await table.say("bob", "admit")
    assert result(table) == (["alice"], "bob admits it (rule a)")


async def test_a_claim_that_is_not_answered_in_time_is_won(table: Table) -> None:
    await claim(table, "bob")
    await table.late()
    assert result(table) == (["bob"], "no answer to the claim in time (rule a)")


@pytest.mark.parametrize("phase", ["force", "answer", "evidence"])
async def test_who_leaves_terms_that_are_in_force_loses(table: Table, phase: str) -> None:
    if phase != "force":
        await claim(table)
    if phase == "evidence":
        await table.say("bob", "deny")
    await table.leave("alice")
    assert result(table) == (["bob"], "alice left (rule a)")


async def test_who_leaves_after_the_other_is_content_has_kept_the_terms(table: Table) -> None:
    await table.say("bob", "fulfilled")
    await table.leave("alice")
    assert result(table) == (["alice", "bob"], "the terms are kept; alice left")


async def test_a_denied_claim_is_proved_by_the_text_that_the_terms_name(table: Table) -> None:
    await claim(table)
    await table.say("bob", f"deliver {POEM}")
    await table.say("bob", "deny I did it.")
    assert table.movers == ["alice", "bob"]
    (said,) = await table.say("alice", "evidence my word")
    assert (said["number"], said["proves_against"], said["hash"]) == (1, [], sha("my word"))
    (said,) = await table.say("alice", f"evidence {PROOF}")
    assert said["proves_against"] == ["bob"]
    await table.say("alice", "rest")
    await table.say("bob", "rest")
    assert result(table) == (["alice"], "a text is shown that proves it (rule b)")


@pytest.mark.parametrize("delivered", [False, True])
async def test_an_owed_text_decides_a_denied_claim(table: Table, delivered: bool) -> None:
    await claim(table)
    await table.say("bob", "deny")
    if delivered:
        await table.say("bob", f"deliver {POEM}")
    await table.say("bob", "rest")
    await table.late()  # alice brings nothing
    expected = (["bob"], "the claim is not proved (rule e)")
    assert result(table) == (
        expected if delivered else (["alice"], "bob has not delivered (rule c)")
    )


@pytest.mark.parametrize(("waited", "winner"), [(500, "bob"), (1500, "alice")])
async def test_a_text_is_owed_at_the_end_of_the_term(waited: int, winner: str) -> None:
    table = await in_force(Plain(), term=1000)
    assert table.said("terms")[0]["duties"] == [["bob", sha(POEM)]]
    assert table.said("terms")[0]["proofs"] == [["bob", sha(PROOF)]]
    await claim(table)
    await table.say("bob", "deny")
    table.now += waited
    for player in ("alice", "bob"):
        await table.say(player, "rest")
    assert result(table)[0] == [winner]


async def test_a_sealed_delivery_is_read_by_the_other_party_alone(pool: Pool) -> None:
    table = await in_force(pool, "carol", arbiter="carol")
    said = await table.say("bob", f"deliver {POEM}", to=True)
    assert [one["type"] for one in said] == ["delivery", "delivered"]
    assert POEM in heard_by(table, "alice")
    assert POEM not in heard_by(table, "carol") and POEM not in heard_by(table, "bob")
    assert table.state["duties"] == []
    assert "no duty" in await table.refused("bob", f"deliver {POEM}", to=True)
    assert table.posts[-1].to == ("bob",)


async def test_an_arbiter_rules_what_the_code_cannot(pool: Pool) -> None:
    table = await in_force(pool, "carol", arbiter="carol", terms="Bob sings well.", evidence=1)
    assert "arbiter rules, the parties" in await table.refused("carol", "claim it")
    await claim(table)
    await table.say("bob", "deny I did.")
    await table.say("alice", "evidence He croaked.")
    assert table.movers == ["bob"]  # one piece each
    await table.say("bob", "rest")
    assert table.movers == ["carol"]
    assert table.expect["body"] == ["rule alice", "rule bob", "rule nobody"]
    assert await table.refused("carol", "rule carol") == "rule alice, bob or nobody"
    assert "arbiter rules" in await table.refused("bob", "rule bob")
    (said,) = await table.say("carol", "rule bob: it was well enough")
    assert said == {"type": "ruling", "for": "bob", "rule": "d", "text": "it was well enough"}
    assert result(table) == (["bob"], "the arbiter rules for bob (rule d)")


@pytest.mark.parametrize("how", ["nobody", "late", "leaves", "left before"])
async def test_without_a_ruling_of_the_arbiter_nobody_wins(pool: Pool, how: str) -> None:
    table = await in_force(pool, "carol", arbiter="carol", terms="Bob sings.", evidence=0)
    await claim(table)
    if how == "left before":
        await table.leave("carol")
    await table.say("bob", "deny")
    if how == "late":
        await table.late()
    elif how == "leaves":
        await table.leave("carol")
    elif how == "nobody":
        await table.say("carol", "rule nobody")
    assert result(table)[0] == []


async def test_a_claim_may_be_dropped_and_made_once(table: Table) -> None:
    await claim(table)
    assert "not your claim" in await table.refused("bob", "drop")
    await table.say("alice", "drop")
    assert table.movers == ["alice", "bob"] and table.expect["body"] == ["fulfilled", "cancel"]
    assert "one claim each" in await table.refused("alice", "claim again")
    await claim(table, "bob")


@pytest.mark.parametrize(
    ("owing", "winners"), [([], ["alice", "bob"]), (["bob"], ["alice"]), (["alice", "bob"], [])]
)
async def test_when_the_term_is_over_owed_texts_decide(
    owing: list[str], winners: list[str]
) -> None:
    terms = "\n".join(["t", *(f"duty: {name} sha256:{sha(name)}" for name in owing)])
    table = await in_force(Plain(), terms=terms, term=1000)
    table.now += 400
    await table.say("alice", "cancel")
    assert table.seconds == pytest.approx(600, abs=1e-3)
    await claim(table, "bob")
    table.now += 5000  # a claim stops the term's clock, and dropping it does not give time back
    await table.say("bob", "drop")
    assert table.seconds == 0.001
    await table.late()
    assert result(table)[0] == winners


async def test_what_is_no_move_changes_nothing_and_says_why(table: Table) -> None:
    assert "not a party" in await table.refused("carol", "claim x")
    assert "deny: not now" in await table.refused("bob", "deny")
    assert "rule: not now" in await table.refused("bob", "rule bob")
    assert "still going on" in await table.refused("bob", "rematch")
    assert "in public" in await table.refused("bob", "claim x", to=True)
    assert "in public" in await table.refused("bob", "deliver x", to=["bot:judge", "alice"])
    for value in (None, 1, "", "  ", "x" * 8001, ["x"]):
        move = {"type": "move", "game": "judge", "action": "claim", "value": value}
        assert "takes a text" in await table.refused("alice", move)
    move = {"type": "move", "game": "judge", "action": "sue"}
    assert "the moves are" in await table.refused("alice", move)
    assert "no duty" in await table.refused("alice", f"deliver {POEM}")
    for chat in ("hello", "cancel that", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "not proved" in answer["text"]


async def test_terms_that_bind_a_stranger_are_refused(pool: Pool) -> None:
    terms = f"duty: dave sha256:{sha('x')}"
    table = new(pool)
    await table.begin("alice", "bob")
    assert "dave, who is no party" in await table.refused("bob", "propose " + terms)
    table = new(pool, terms=terms)
    await table.begin("alice", "bob")
    assert result(table) == ([], "the terms do not fit: a line says duty: dave, who is no party")


@pytest.mark.parametrize(
    ("players", "params", "reason"),
    [
        (["alice"], {}, "terms are between two parties, here are 1"),
        (["a", "b", "c"], {}, "terms are between two parties, here are 3"),
        (["alice", "bob"], {"arbiter": "carol"}, "the arbiter carol has no seat here"),
    ],
)
async def test_without_two_parties_and_the_arbiter_there_is_nothing_to_judge(
    pool: Pool, players: list[str], params: dict[str, Any], reason: str
) -> None:
    table = new(pool, **params)
    await table.begin(*players)
    assert result(table) == ([], reason)
    assert "not started" in await table.refused(players[0], "propose x")
    assert await table.call("on_start") == []


@pytest.mark.parametrize("terms", ["", " \n", "é" * 4001, "x" * 8001])
async def test_terms_that_say_nothing_or_too_much_are_refused(pool: Pool, terms: str) -> None:
    outcome = await pool.run(HookCall(SOURCE, "on_init", params={"terms": terms}))
    assert isinstance(outcome, Failed) and outcome.error == "ValueError"


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(
    claimant=st.sampled_from(["alice", "bob"]),
    owing=st.sets(st.sampled_from(["alice", "bob"])),
    delivered=st.sets(st.sampled_from(["alice", "bob"])),
    shown=st.sets(st.sampled_from(["alice", "bob"])),
    answer=st.sampled_from(["admit", "deny", "late"]),
    ruled=st.sampled_from([None, "alice", "bob", "nobody", "late", "gone"]),
)
async def test_any_claim_is_ruled_by_the_first_rule_that_applies(
    claimant: str, owing: set[str], delivered: set[str], shown: set[str], answer: str, ruled: Any
) -> None:
    lines = [f"duty: {name} sha256:{sha('d' + name)}" for name in sorted(owing)]
    lines += [f"proof: {name} sha256:{sha('p' + name)}" for name in ("alice", "bob")]
    seats, params = (["carol"], {"arbiter": "carol"}) if ruled else ([], {})
    table = await in_force(Plain(), *seats, terms="\n".join(lines), **params)
    other = {"alice": "bob", "bob": "alice"}[claimant]
    for name in sorted(delivered & owing):
        await table.say(name, f"deliver d{name}")
    await claim(table, claimant)
    if ruled == "gone":
        await table.leave("carol")
    await (table.late() if answer == "late" else table.say(other, answer))
    for name in sorted(shown):
        if table.end is None:
            await table.say(claimant, f"evidence p{name}")
    for _ in range(2):
        if table.end is None and table.movers != ["carol"]:
            await table.say(table.movers[0], "rest")
    if table.end is None:
        assert table.movers == ["carol"]
        await (table.late() if ruled == "late" else table.say("carol", f"rule {ruled}"))
    if answer != "deny" or other in shown or other in owing - delivered:
        expected = [claimant]
    elif ruled is None:
        expected = [other]
    else:
        expected = [ruled] if ruled in ("alice", "bob") else []
    assert result(table)[0] == expected


NONSENSE = ["claim", "accept nothing", "deny " * 2000, "hello", "!help", "rematch", {"x": 1}]
NONSENSE += ["rule dave", "deliver nothing owed", "propose duty: dave sha256:" + "0" * 64]


async def any_case(runner: Runner, seed: int) -> None:
    """Played at random to the end; a ruling is for a party, and the end says so."""
    chance = random.Random(seed)
    arbiter = chance.choice([None, "carol"])
    params = {"arbiter": arbiter, "terms": chance.choice([None, TERMS, "Be kind."])}
    table = new(runner, term=chance.choice([None, 1000]), **params)
    await table.begin("alice", "bob", *([arbiter] if arbiter else []))
    await wander(table, chance, NONSENSE)
    winners, _ = result(table)
    for ruling in table.said("ruling"):
        assert winners == ([ruling["for"]] if ruling["for"] else [])
    if not table.said("in_force"):
        assert winners == []


async def test_a_few_cases_at_random_end(pool: Pool) -> None:
    for seed in range(3):
        await any_case(pool, seed)
    for seed in range(40):
        await any_case(Plain(), seed)


@pytest.mark.long
async def test_a_thousand_cases_at_random_end() -> None:
    runner = Plain()
    for seed in range(1000):
        await any_case(runner, seed)
