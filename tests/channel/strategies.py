"""Random events, for tests that must hold for every one there can be."""

from __future__ import annotations

from hypothesis import strategies as st

from mcp_multiplayer.channel.events import (
    Abort,
    Accept,
    Admin,
    Ask,
    Attach,
    Change,
    Close,
    Detach,
    Disclose,
    Entropy,
    Erase,
    Event,
    Genesis,
    Handover,
    Invite,
    Join,
    Key,
    Leave,
    Msg,
    Offer,
    Open,
    Propose,
    Rename,
    Restored,
    Reveal,
    Run,
    Runtime,
    Start,
    Takeover,
    Tick,
    Unseal,
)

SLOT = st.sampled_from(["s1", "s2"])
WORD = st.text(max_size=5)
BODY = st.dictionaries(WORD, st.integers(-5, 5) | WORD, max_size=3)
TO = st.lists(st.sampled_from(["alice", "bob", "bot:judge"]), min_size=1, unique=True)
KIND = st.sampled_from(["user", "bot", "system", "move"])
ITEM = st.one_of(
    st.fixed_dictionaries({"k": KIND, "b": BODY}),
    st.fixed_dictionaries({"k": KIND, "d": WORD, "to": TO}),
    st.fixed_dictionaries({"k": KIND, "b": BODY, "to": TO}),
)
TURN = st.fixed_dictionaries(
    {"players": st.lists(st.sampled_from(["alice", "bob"]), unique=True)},
    optional={"expect": WORD, "deadline": st.integers(0, 9)},
)
MSG = st.builds(lambda item, slot: Msg({"s": slot, "c": 1, **item}), ITEM, SLOT)
RUN = st.builds(
    Run,
    bot=st.just("judge"),
    at=st.just(1),
    hook=st.just("on_message"),
    on=st.integers(0, 9),
    res=st.sampled_from(["ok", "fuel", "error:Oops", "killed:TimeLimit"]),
    out=st.lists(ITEM, max_size=4),
    turn=st.none() | TURN,
    end=st.none() | BODY,
    timers=st.none() | st.dictionaries(WORD, st.none() | st.integers(0, 9), max_size=3),
    line=st.none() | st.integers(1, 9),
    now=st.integers(0, 9),
    st=st.just(["before", "after"]),
    rng=st.just(["kid", 0, 3]),
)
ATTACH = st.builds(
    Attach,
    bot=WORD,
    slot=st.sampled_from(["s0", "s9"]),
    name=WORD,
    version=WORD,
    code_hash=WORD,
    manifest=BODY,
    manifest_hash=WORD,
    params=BODY,
    reach=BODY,
    hooks=st.lists(WORD, max_size=2),
    ref=st.none() | WORD,
    runtime=st.none() | WORD,
    commit=st.none() | WORD,
)
#: For a room with the slots bot:judge (s0), invite:alice (s1), invite:bob (s2).
BY_TYPE: dict[type[Event], st.SearchStrategy[Event]] = {
    Genesis: st.builds(Genesis, WORD, WORD, WORD, st.just([]), BODY, WORD, WORD, st.none() | WORD),
    Attach: ATTACH,
    Join: st.builds(Join, SLOT, WORD, WORD, st.none() | WORD, st.none() | WORD),
    Entropy: st.builds(Entropy, SLOT, st.none() | WORD, st.none() | WORD),
    Open: st.builds(Open, SLOT, WORD),
    Abort: st.builds(Abort, st.lists(SLOT, unique=True)),
    Disclose: st.builds(Disclose, st.integers(0, 9), WORD, BODY),
    Unseal: st.builds(Unseal, st.just("s1"), st.just("judge"), st.just(1), st.none() | WORD),
    Ask: st.builds(Ask, st.just([{"op": "start"}]), WORD, st.none() | SLOT)
    | st.builds(Ask, st.just([{"op": "close"}]), by=st.just("operator")),
    Erase: st.builds(Erase, st.integers(0, 9), BODY),
    Offer: st.builds(Offer, SLOT, WORD),
    Handover: st.builds(Handover, SLOT),
    Reveal: st.builds(Reveal, st.just("judge"), st.just(1), st.integers(0, 3), WORD),
    Runtime: st.builds(Runtime, WORD),
    Key: st.builds(Key, WORD, WORD),
    Restored: st.builds(Restored, st.integers(0, 9), WORD),
    Takeover: st.builds(Takeover, SLOT, WORD),
    Leave: st.builds(Leave, SLOT, st.sampled_from([None, True])),
    Invite: st.builds(Invite, SLOT, WORD),
    Admin: st.builds(Admin, SLOT, st.booleans()),
    Rename: st.builds(Rename, WORD),
    Detach: st.builds(Detach, st.just("judge")),
    Propose: st.builds(Propose, SLOT, st.lists(BODY, max_size=2), WORD),
    Accept: st.builds(Accept, SLOT, WORD),
    Change: st.builds(Change, WORD, st.lists(SLOT)),
    Start: st.builds(Start, st.lists(SLOT, unique=True)),
    Close: st.builds(Close),
    Msg: MSG,
    Run: RUN,
    Tick: st.builds(Tick, st.just("judge") | WORD, st.just("turn") | WORD),
}
EVENTS: st.SearchStrategy[Event] = st.one_of(*BY_TYPE.values())
