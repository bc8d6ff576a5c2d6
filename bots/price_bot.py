"""PriceBot: prices from one public source for everybody in the room, and a bet on the next one.

Quotes, at any time:   price        or   price ETH
I ask the source (params url, path, symbols) and say what it said to all. The same answer stands in
the record of the room. When the source does not answer, or answers nonsense, I say so and nothing
is lost.

The bet: everybody guesses what the first symbol costs a little later (param delay: 10 seconds after
the last guess).
   guess 64000.5, sent to me alone: post_message(body="guess 64000.5", to=["bot:<my id>"])
   or {"type": "move", "game": "price", "action": "guess", "value": "64000.5"}
   concede        gives up     rematch        another bet, after the end, when all who are here ask
A guess that others can read is void and costs nothing; a sealed one is final. Then I show all
guesses and ask the source: who is nearest wins, and all of them if several are. If the source fails
three times, thirty seconds apart, nobody wins. Who has not guessed within the param seconds (a day;
null: no clock) is out of this bet; with one guess alone that player wins, with none nobody does.
Leaving is conceding; the last one left wins. With the param bet=false, or alone, there are quotes
only. With the param stake="..." the result says that the others owe that; I move no money.
"""

import re

import requests
from referee import Game, is_a, listed, utc

MANIFEST = {
    "name": "PriceBot",
    "version": "1.0",
    "summary": "Prices of bitcoin and others from one public source, and a bet on the next one.",
    "label": "price",
    "seats": ["alice", "bob"],
    "min_seats": 1,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "url": {
                "type": "string",
                "maxLength": 500,
                "default": "https://api.coinbase.com/v2/prices/{symbol}-USD/spot",
                "description": "where JSON is to be had; {symbol} stands for the symbol",
            },
            "path": {
                "type": ["string", "array"],
                "items": {"type": "string"},
                "minItems": 1,
                "default": "data.amount",
                "description": "where the number is: keys and list positions, dotted or as a list",
            },
            "symbols": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,20}$"},
                "minItems": 1,
                "maxItems": 50,
                "default": ["BTC", "ETH"],
                "description": "what can be asked for; the bet is about the first",
            },
            "unit": {
                "type": "string",
                "maxLength": 20,
                "default": "USD",
                "description": "in what the prices are",
            },
            "bet": {
                "type": "boolean",
                "default": True,
                "description": "false: quotes only",
            },
            "stake": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 1000,
                "default": None,
                "description": "what those who lose owe, in words; null: nothing but the honour",
            },
            "delay": {
                "type": "number",
                "minimum": 0,
                "maximum": 31536000,
                "default": 10,
                "description": "seconds from the last guess to the price that decides",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": 86400,
                "description": "time for the guesses; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "price",
        "price SYMBOL",
        'guess N, sealed with to=["bot:price"]',
        "concede",
        "rematch",
        {"type": "move", "game": "price", "action": "price", "value": "ETH"},
        {"type": "move", "game": "price", "action": "guess", "value": "64000.5"},
    ],
    "show": [
        {"panel": "text", "of": "price", "in": "price", "title": "Price"},
        {"panel": "table", "of": "guesses", "title": "Guesses"},
        {"panel": "table", "of": "off", "title": "How far off"},
    ],
}

PATIENCE = 3  #: seconds for the source; a hook has four for the network
TRIES, BETWEEN = 3, 30
SAMPLES = ["guess 0.01", "guess 1", "guess 100", "guess 10000"]
PLACES = 18
#: What OpenSSL says of a certificate, and what that means.
REASONS = {
    "has expired": "it has expired",
    "not yet valid": "it is not valid yet",
    "mismatch": "it is for another name",
    "self-signed certificate in": "its chain ends in a root that is not trusted here",
    "self-signed": "it is self-signed",
    "unable to get local issuer": "nobody trusted here has issued it",
}
NUMBER = re.compile(r"([+-]?)([0-9]{1,30})(?:\.([0-9]{1,30}))?(?:[eE]([+-]?[0-9]{1,2}))?")


def scaled(text):
    """A decimal number in units of 10**-PLACES, exactly, or None: floats make ties by chance."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, part, exponent = found.groups()
    digits = int(whole + (part or ""))
    shift = PLACES - len(part or "") + int(exponent or 0)
    size = digits * 10**shift if shift >= 0 else digits // 10**-shift
    return -size if sign == "-" else size


def why_refused(error):
    """Clear words for a connection that came to no encryption that can be trusted."""
    if "certificate verify failed" not in error:
        return "it speaks no TLS, or none that is accepted here"
    error = error.replace("self signed", "self-signed")
    known = [": " + reason for words, reason in REASONS.items() if words in error]
    return "its certificate is not valid" + "".join(known[:1])


def written(number):
    """The text of such a number."""
    size = abs(number)
    text = f"{size // 10**PLACES}.{size % 10**PLACES:018}"
    return ("-" if number < 0 else "") + text.rstrip("0").rstrip(".")


class PriceBot(Game):
    manifest = MANIFEST
    game, noun = "price", "bet"
    verbs = {"price": "price", "guess": "guess"}
    gives_up = "concede"
    least = 1
    rotates = False
    together, sealed = "guesses", True

    def check(self):
        self.symbols, self.path = self.params["symbols"], self.params["path"]
        if not re.match("https?://[^/]", self.params["url"]):
            raise ValueError("url must begin with https:// or http://")
        if isinstance(self.path, str):
            self.path = self.path.split(".")

    # Reading a move

    def read(self, body):
        """(move, value), or (None, None) for talk; "price ETH?" is "price ETH"."""
        return super().read(body | {"text": str(body.get("text", "")).rstrip(" .!?")})

    def bare(self, word):
        return "price" if word == "price" else None

    def symbol(self, value):
        """The symbol that is meant, or None."""
        if value is None:
            return self.symbols[0]
        return next((one for one in self.symbols if one.lower() == str(value).lower()), None)

    def objection(self, player, move, value):
        """A price may be asked for by anybody at any time."""
        if move == "price":
            known = ", ".join(self.symbols)
            return None if self.symbol(value) else f"I know the prices of {known}"
        if self.state["phase"] == "quotes":
            return "there is no bet here, quotes only"
        return super().objection(player, move, value)

    def illegal(self, player, move, value):
        return "a guess is a number such as 64000.5" if scaled(str(value)) is None else None

    # The source

    def fetch(self, symbol):
        """(the price as text, None), or (None, why there is none)."""
        try:
            url = self.params["url"].replace("{symbol}", symbol)
            answer = requests.get(url, timeout=PATIENCE, headers={"Accept": "application/json"})
        except requests.exceptions.SSLError as error:
            return None, why_refused(str(error).lower())
        except requests.exceptions.Timeout:
            return None, f"it did not answer within {PATIENCE} seconds"
        except requests.exceptions.RequestException as error:
            text = str(error)
            if "bots of this server" in text or "reached by bots" in text:
                return None, "this server does not let referees reach it"
            if "answer is longer" in text:
                return None, "its answer is too long"
            return None, "it cannot be reached, or speaks no HTTP"
        if answer.status_code != 200:
            return None, f"it answered with HTTP {answer.status_code}"
        try:
            found = answer.json(parse_float=str)  # the digits as they are written
        except ValueError:
            return None, "its answer is no JSON"
        return self.follow(found)

    def follow(self, found):
        """The number at the path of an answer, or why there is none."""
        where = ".".join(self.path)
        for key in self.path:
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return None, f"its answer has nothing at {where}"
        text = str(found) if is_a(found, "number") or isinstance(found, str) else ""
        if scaled(text) is None:
            return None, f"what stands at {where} of its answer is no number"
        return text, None

    def quote(self, symbol):
        """Say the price, and return it, or None."""
        price, problem = self.fetch(symbol)
        shown = {"type": "price", "symbol": symbol, "source": self.source()}
        shown["at"] = utc(self.ctx.now())
        if price is None:
            self.say(shown | {"price": None, "text": f"no price of {symbol}: {problem}"})
        else:
            self.say(shown | {"price": price, "unit": self.params["unit"]})
        return price

    def source(self):
        return self.params["url"].split("/")[2]

    # The bet

    def begin(self, players):
        if not self.params["bet"] or len(players) < 2:
            self.state["phase"] = "quotes"
            return
        price, samples = self.quote(self.symbols[0]), SAMPLES
        if price is not None:
            near = [scaled(price) * percent // 100 for percent in (98, 99, 100, 101, 102)]
            near = sorted({amount - amount % 10 ** (PLACES - 8) for amount in near})
            samples = [f"guess {written(amount)}" for amount in near]
        self.deal(players, samples=samples, tries=None)  # None: until all have guessed
        self.gather()

    def expects(self):
        return self.sealing(self.state["samples"], also="guess N, any number")

    def play(self, player, move, value):
        if move == "price":
            self.quote(self.symbol(value))
            return
        if len(self.waiting()) > 1:
            self.say({"type": "guessed", "player": player})
        self.take(player, written(scaled(str(value))))

    def without(self, player):
        if self.state["tries"] is None:
            self.open_or_wait()

    def late(self):
        for player in self.waiting():
            self.say({"type": "late", "player": player})
            self.state["standing"].remove(player)
        self.opened()

    def opened(self):
        """Show all guesses, and wait for the price."""
        standing, delay = self.state["standing"], self.params["delay"]
        if len(standing) < 2:
            self.finish(standing, f"nobody{' else' if standing else ''} guessed in time")
            return
        self.state["tries"] = 0
        text = f"in {delay:g} seconds I ask for the price"
        self.say({"type": "guesses", "guesses": self.state["guesses"], "text": text})
        self.ctx.set_turn([])
        if delay > 0:
            self.ctx.set_timer("settle", delay)
        else:
            self.settle()

    def on_timer(self, name):
        if name == "settle" and self.state["phase"] == "playing":
            self.settle()
            self.save()
        else:
            super().on_timer(name)

    def settle(self):
        """The nearest to the price wins; without one, try again."""
        price, guesses = self.quote(self.symbols[0]), self.state["guesses"]
        if price is None:
            self.state["tries"] += 1
            if self.state["tries"] < TRIES:
                self.ctx.set_timer("settle", BETWEEN)
            else:
                self.finish([], "the source gives no price")
            return
        off = {one: abs(scaled(guesses[one]) - scaled(price)) for one in self.state["standing"]}
        winners = [one for one in off if off[one] == min(off.values())]
        shown = {one: written(amount) for one, amount in off.items()}
        self.say({"type": "settled", "price": price, "off": shown, "winners": winners})
        self.finish(winners, f"{self.symbols[0]} is {price} {self.params['unit']}")

    def finish(self, winners, reason):
        self.ctx.cancel_timer("settle")
        owing = [one for one in self.state["players"] if winners and one not in winners]
        if owing and self.params["stake"]:
            reason += f"; {listed(owing)} owe{'s' * (len(owing) == 1)}: {self.params['stake']}"
        super().finish(winners, reason)

    def rules(self):
        params, known = self.params, ", ".join(self.symbols)
        bet = (
            f" The bet: what does {self.symbols[0]} cost {params['delay']:g} seconds after the last"
            f' guess? "guess N", sealed: to=["{self.me}"]; a public guess is void. The nearest'
            " wins"
            + (f"; who does not owes: {params['stake']}." if params["stake"] else ".")
            + ' "concede" gives up, "rematch" after the end bets again.'
        )
        return (
            f'"price" or "price SYMBOL" asks {self.source()}; I know {known}, in {params["unit"]}.'
            + (bet if params["bet"] else "")
        )
