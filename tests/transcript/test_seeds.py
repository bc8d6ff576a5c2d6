"""Seeds, commitments and keys: the known answers of verifiable-channels §9, and the chain."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.channel.invite_codes import seal_value
from mcp_multiplayer.transcript import seeds
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u

ORIGIN = "mp.example/c/chn_KAT"
SEED = bytes(range(32))
ALICE = ("s1", "alice-9f3c2a71d5e84b06")
BOB = ("s2", "bob says 7781 purple walrus")
SECRETS = st.binary(min_size=32, max_size=32)


def test_the_seed_is_committed_to_as_known() -> None:
    known = "mfk28QuAe6SB3m37O80_NJmapDMogrU85UTFslBBKO0"
    assert seeds.commit_seed(ORIGIN, "b0", 0, SEED) == known


def test_a_members_value_is_committed_to_as_known() -> None:
    known = "9UF71Q7ce8JuW2J_knjWpR1w6LAfu4rPNh-qCb8F2Zg"
    assert seeds.commit_member(ORIGIN, *ALICE, bot="b0") == known


def test_a_value_counts_for_all_bots_unless_one_is_named() -> None:
    assert seeds.commit_member(ORIGIN, *ALICE) == seeds.commit_member(ORIGIN, *ALICE, "*", 0)


def test_the_key_of_the_dice_is_the_known_one() -> None:
    key = seeds.epoch_key(SEED, ORIGIN, "b0", 0, [BOB, ALICE])
    assert key.hex() == "c8949c10eb9caa2cd0c6225565913ef75b898f818138107f123ce4ec1293c511"
    assert seeds.kid(key) == "TfQJv4uuYsaB"


def test_the_empty_state_is_blinded_as_known() -> None:
    k_state = seeds.part(SEED, "state", ORIGIN, "b0", 0)
    assert seeds.blind(k_state, {}) == "Ob5DSaIZbizkkJYgoA9ZONUvVP0kNDcJLp93MnB6sFg"


def test_a_private_value_is_sealed_as_known() -> None:
    salt = seeds.salt(seeds.part(SEED, "priv", ORIGIN, "b0", 0), 9, 0, "hole")
    disclosure = b64u(canonical([salt, "hole", "KS"]))
    assert disclosure == "WyJVcWdTVWJRTnhaSVQ5RzFlSk9QRGFnIiwiaG9sZSIsIktTIl0"
    assert seal_value(salt, "hole", "KS") == "hd6sOei-sykySX03Bg5aSjCixjkuHuktEg18vMTgEvI"


def test_the_last_seed_is_the_root_and_each_hashes_to_the_one_before() -> None:
    assert seeds.chain_seed(SEED, seeds.SEEDS - 1) == SEED
    before = hashlib.sha256(b"mpx/chain/1\n" + SEED).digest()
    assert seeds.chain_seed(SEED, seeds.SEEDS - 2) == before


@given(SECRETS, st.integers(0, seeds.SEEDS - 2))
def test_each_seed_follows_the_one_before_and_no_other(root: bytes, epoch: int) -> None:
    here, after = seeds.chain_seed(root, epoch), seeds.chain_seed(root, epoch + 1)
    assert seeds.follows(here, after)
    assert not seeds.follows(after, here)
    assert not seeds.follows(here, here)


@pytest.mark.parametrize("epoch", [-1, seeds.SEEDS])
def test_a_chain_has_no_other_epochs(epoch: int) -> None:
    with pytest.raises(ValueError, match="epochs"):
        seeds.chain_seed(SEED, epoch)


@pytest.mark.parametrize("seed", [b"", SEED[:-1], SEED + b"\0"])
def test_a_seed_of_another_length_is_refused(seed: bytes) -> None:
    assert not seeds.follows(hashlib.sha256(b"mpx/chain/1\n" + seed).digest(), seed)
    for use in (
        lambda: seeds.chain_seed(seed, 0),
        lambda: seeds.commit_seed(ORIGIN, "b0@1", 0, seed),
        lambda: seeds.epoch_key(seed, ORIGIN, "b0@1", 0, []),
        lambda: seeds.part(seed, "priv", ORIGIN, "b0@1", 0),
    ):
        with pytest.raises(ValueError, match="32 bytes"):
            use()


def test_two_values_of_one_slot_are_refused() -> None:
    with pytest.raises(ValueError, match="two values"):
        seeds.epoch_key(SEED, ORIGIN, "b0@1", 0, [ALICE, ("s1", "another value of hers")])


def test_every_word_changes_the_key() -> None:
    keys = {
        seeds.epoch_key(SEED, ORIGIN, "b0@1", 0, [ALICE, BOB]),
        seeds.epoch_key(SEED[::-1], ORIGIN, "b0@1", 0, [ALICE, BOB]),
        seeds.epoch_key(SEED, ORIGIN + "x", "b0@1", 0, [ALICE, BOB]),
        seeds.epoch_key(SEED, ORIGIN, seeds.bot_name("b0", 2), 0, [ALICE, BOB]),
        seeds.epoch_key(SEED, ORIGIN, "b0@1", 1, [ALICE, BOB]),
        seeds.epoch_key(SEED, ORIGIN, "b0@1", 0, [ALICE]),
        seeds.epoch_key(SEED, ORIGIN, "b0@1", 0, []),
    }
    assert len(keys) == 7
