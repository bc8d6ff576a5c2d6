"""How the house plays blackjack: the smallest bet, no insurance, and basic strategy (the play that
loses least against a dealer who stands on 17, as it has been tabled since Baldwin, 1956).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

COUNTS = {"A": 11, "T": 10, "J": 10, "Q": 10, "K": 10} | {str(n): n for n in range(2, 10)}


def count(cards: Sequence[str]) -> tuple[int, bool]:
    """(value, soft): soft while an ace counts 11."""
    value, aces = sum(COUNTS[card[0]] for card in cards), sum(card[0] == "A" for card in cards)
    while value > 21 and aces:
        value, aces = value - 10, aces - 1
    return value, aces > 0


def move(cards: Sequence[str], dealer: str, legal: Collection[str]) -> str:
    """What to do with these cards against the dealer's first; one of the legal moves."""
    against = COUNTS[dealer[0]]
    if "split" in legal and _splits(COUNTS[cards[0][0]], against):
        return "split"
    value, soft = count(cards)
    if "double" in legal and _doubles(value, soft, against):
        return "double"
    if soft:
        return "stand" if value >= 19 or (value == 18 and against <= 8) else "hit"
    if value >= 17:
        return "stand"
    if value <= 11:
        return "hit"
    return "stand" if (4 if value == 12 else 2) <= against <= 6 else "hit"


def _splits(pair: int, against: int) -> bool:
    """Two cards that count ``pair`` each."""
    if pair in (8, 11):
        return True
    if pair == 9:
        return against <= 9 and against != 7
    return against <= {2: 7, 3: 7, 4: 0, 5: 0, 6: 6, 7: 7, 10: 0}[pair]


def _doubles(value: int, soft: bool, against: int) -> bool:
    if soft:
        return 13 <= value <= 18 and (4 if value < 17 else 3) <= against <= 6
    return value == 11 or (value == 10 and against <= 9) or (value == 9 and 3 <= against <= 6)
