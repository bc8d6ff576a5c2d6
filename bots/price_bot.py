"""PriceBot: prices from one public source for everybody in the room, and a bet on the next one.

Quotes, at any time:   price        or   price ETH
I ask the source (params url, path, symbols) and say what it said to all. The same answer stands in the
record of the room. When the source does not answer, or answers nonsense, I say so and nothing is lost.

The bet: everybody guesses what the first symbol costs a little later (param delay: 10 seconds after the last guess).
   guess 64000.5, sent to me alone: post_message(body="guess 64000.5", to=["bot:<my id>"])
   or {"type": "move", "game": "price", "action": "guess", "value": "64000.5"}
   concede        gives up        rematch        another bet, after the end, when all who are here ask
A guess that others can read is void and costs nothing; a sealed one is final. Then I show all guesses and ask
the source: who is nearest wins, and all of them if several are. If the source fails three times, thirty seconds
apart, nobody wins. Who has not guessed within the param seconds (a day; null: no clock) is out of this bet; with one
guess alone that player wins, with none nobody does. Leaving is conceding; the last one left wins.
With the param bet=false, or alone, there are quotes only.
"""

import re
import time

import requests

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
                "default": "data.amount",
                "description": "the way to the number: keys and list positions, with dots or as a list",
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
        "guess N, sealed with to=[\"bot:price\"]",
        "concede",
        "rematch",
        {"type": "move", "game": "price", "action": "price", "value": "ETH"},
        {"type": "move", "game": "price", "action": "guess", "value": "64000.5"},
    ],
}

GAME = "price"
YEAR = 31536000
PATIENCE = 3  #: seconds for the source; a hook has four for the network
TRIES, BETWEEN = 3, 30
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
    """A decimal number in units of 10**-PLACES, exactly, or None: floats would make ties by chance."""
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
    text = "%d.%018d" % (size // 10**PLACES, size % 10**PLACES)
    return ("-" if number < 0 else "") + text.rstrip("0").rstrip(".")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class PriceBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.me = "bot:" + ctx.bot_id
        defaults = {name: rule["default"] for name, rule in MANIFEST["params"]["properties"].items()}
        chosen = defaults | params
        self.url, self.unit, self.bet = chosen["url"], chosen["unit"], chosen["bet"]
        self.symbols, self.path = chosen["symbols"], chosen["path"]
        self.delay, self.seconds = chosen["delay"], chosen["seconds"]
        self.check()
        if isinstance(self.path, str):
            self.path = self.path.split(".")
        self.state = ctx.get_state() or {"phase": "open"}

    def check(self):
        if not isinstance(self.url, str) or not re.match("https?://[^/]", self.url):
            raise ValueError("url must begin with https:// or http://")
        path = self.path.split(".") if isinstance(self.path, str) else self.path
        if not isinstance(path, list) or not path or not all(isinstance(one, str) for one in path):
            raise ValueError("path must be a text such as data.amount, or a list of texts")
        names = self.symbols if isinstance(self.symbols, list) else []
        if not names or not all(re.fullmatch("[A-Za-z0-9._-]{1,20}", str(one)) for one in names):
            raise ValueError("symbols must be a list of short names such as BTC")
        if not isinstance(self.unit, str) or len(self.unit) > 20:
            raise ValueError("unit must be a short text")
        if not isinstance(self.bet, bool):
            raise ValueError("bet must be true or false")
        if not is_number(self.delay) or not 0 <= self.delay <= YEAR:
            raise ValueError("delay must be a number of seconds from 0")
        if self.seconds is not None and not (is_number(self.seconds) and 0 < self.seconds <= YEAR):
            raise ValueError("seconds must be a number above 0, or null")

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        if self.bet and len(self.ctx.players) >= 2:
            self.begin(self.ctx.players)
        else:
            self.state["phase"] = "quotes"
        self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action, value, msg.get("to"))
        if reason:
            # A sealed attempt is answered in private: the answer is about its content.
            to = [player] if msg.get("to") and player in self.ctx.players else None
            self.say({"type": "violation", "player": player, "reason": reason}, to)
            return
        if action == "price":
            self.quote(self.symbol(value))
            return
        if action == "guess":
            self.guess(player, str(value))
        elif action == "concede":
            self.put_out(player, "conceded")
        else:
            self.rematch(player)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] in ("guess", "wait") and player_id in self.state["standing"]:
            self.put_out(player_id, "left")
            self.save()
        elif self.state["phase"] == "done":
            self.start_again()
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "guess":
            for player in self.waiting():
                self.say({"type": "late", "player": player})
                self.state["standing"].remove(player)
            self.decide_or_wait()
            self.save()
        elif name == "settle" and self.state["phase"] == "wait":
            self.settle()
            self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            action = str(body.get("action"))
            return {"resign": "concede"}.get(action, action), body.get("value")
        words = str(body.get("text", "")).rstrip(" .!?").split()
        action = words[0].lower().rstrip(":") if words else ""
        if len(words) == 1 and action in ("price", "concede", "resign", "rematch"):
            return {"resign": "concede"}.get(action, action), None
        if len(words) == 2 and action in ("price", "guess"):
            return action, words[1]
        return None, None

    def symbol(self, value):
        """The symbol that is meant, or None."""
        if value is None:
            return self.symbols[0]
        named = [one for one in self.symbols if one.lower() == str(value).lower()]
        return named[0] if named else None

    def objection(self, player, action, value, to):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action == "price":
            known = ", ".join(self.symbols)
            return None if self.symbol(value) else "I know the prices of " + known
        if action not in ("guess", "concede", "rematch"):
            return "the moves are price, guess, concede and rematch"
        if phase == "open":
            return "the bet has not started"
        if phase == "quotes":
            return "there is no bet here, quotes only"
        if player not in self.state["players"]:
            return "not a player of this bet"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the bet is over; "rematch" asks for another'
        if player not in self.state["standing"]:
            return "out of this bet"
        if action == "concede":
            return None
        if player in self.state["guesses"]:
            return "you have guessed, and a guess is final"
        if to != [self.me]:
            return (
                "void: others could read it, so it does not count. Guess again, sealed:"
                ' to=["%s"]' % self.me
            )
        fits = is_number(value) or isinstance(value, str)
        if not fits or scaled(str(value)) is None:
            return "a guess is a number such as 64000.5"
        return None

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the bet is still going on"
        if len(self.here()) < 2:
            return "the others have left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for the others"
        return None

    # The source

    def fetch(self, symbol):
        """(the price as text, None), or (None, why there is none)."""
        try:
            url = self.url.replace("{symbol}", symbol)
            answer = requests.get(url, timeout=PATIENCE, headers={"Accept": "application/json"})
        except requests.exceptions.SSLError as error:
            return None, why_refused(str(error).lower())
        except requests.exceptions.Timeout:
            return None, "it did not answer within %d seconds" % PATIENCE
        except requests.exceptions.RequestException as error:
            text = str(error)
            if "bots of this server" in text or "reached by bots" in text:
                return None, "this server does not let referees reach it"
            if "answer is longer" in text:
                return None, "its answer is too long"
            return None, "it cannot be reached, or speaks no HTTP"
        if answer.status_code != 200:
            return None, "it answered with HTTP %d" % answer.status_code
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
                return None, "its answer has nothing at " + where
        text = str(found) if is_number(found) or isinstance(found, str) else ""
        if scaled(text) is None:
            return None, "what stands at %s of its answer is no number" % where
        return text, None

    def quote(self, symbol):
        """Say the price, and return it, or None."""
        price, problem = self.fetch(symbol)
        shown = {"type": "price", "symbol": symbol, "source": self.source(), "at": self.at()}
        if price is None:
            self.say(shown | {"price": None, "text": "no price of %s: %s" % (symbol, problem)})
        else:
            self.say(shown | {"price": price, "unit": self.unit})
        return price

    # The bet

    def begin(self, players):
        self.state = {
            "phase": "guess",
            "players": players,
            "standing": list(players),
            "guesses": {},
            "samples": ["guess 0.01", "guess 1", "guess 100", "guess 10000"],
            "deadline": None,
            "tries": 0,
            "rematch": [],
        }
        if self.seconds is not None:
            self.state["deadline"] = self.ctx.now() + self.seconds
        price = self.quote(self.symbols[0])
        if price is not None:
            near = [scaled(price) * percent // 100 for percent in (98, 99, 100, 101, 102)]
            near = sorted(set(amount - amount % 10 ** (PLACES - 8) for amount in near))
            self.state["samples"] = ["guess " + written(amount) for amount in near]
        self.give_turn(self.seconds)

    def guess(self, player, value):
        self.state["guesses"][player] = written(scaled(value))
        if self.waiting():
            self.say({"type": "guessed", "player": player})
        self.decide_or_wait()

    def put_out(self, player, how):
        self.state["standing"].remove(player)
        self.state["guesses"].pop(player, None)
        self.say({"type": "concede", "player": player})
        if len(self.state["standing"]) == 1:
            self.finish(list(self.state["standing"]), "%s %s" % (player, how))
        elif self.state["phase"] == "guess":
            self.decide_or_wait()

    def decide_or_wait(self):
        if self.waiting():
            left = None
            if self.state["deadline"] is not None:  # the clock goes on, it does not begin anew
                left = min(self.seconds, max(0.001, self.state["deadline"] - self.ctx.now()))
            self.give_turn(left)
        elif not self.state["standing"]:
            self.finish([], "nobody guessed in time")
        elif len(self.state["standing"]) == 1:
            self.finish(list(self.state["standing"]), "nobody else guessed in time")
        else:
            self.state["phase"] = "wait"
            shown = {"type": "guesses", "guesses": self.state["guesses"]}
            self.say(shown | {"text": "in %g seconds I ask for the price" % self.delay})
            self.ctx.set_turn([])
            if self.delay > 0:
                self.ctx.set_timer("settle", self.delay)
            else:
                self.settle()

    def settle(self):
        price = self.quote(self.symbols[0])
        if price is None:
            self.state["tries"] += 1
            if self.state["tries"] < TRIES:
                self.ctx.set_timer("settle", BETWEEN)
            else:
                self.finish([], "the source gives no price")
            return
        off = {}
        for player in self.state["standing"]:
            off[player] = abs(scaled(self.state["guesses"][player]) - scaled(price))
        best = min(off.values())
        winners = [player for player in self.state["standing"] if off[player] == best]
        shown = {player: written(off[player]) for player in off}
        self.say({"type": "settled", "price": price, "off": shown, "winners": winners})
        self.finish(winners, "%s is %s %s" % (self.symbols[0], price, self.unit))

    def rematch(self, player):
        self.state["rematch"].append(player)
        if not self.start_again():
            text = 'say "rematch" for another bet'
            self.say({"type": "rematch", "player": player, "text": text})

    def start_again(self):
        """Begin when all who are still here have asked."""
        here = self.here()
        self.state["rematch"] = [player for player in self.state["rematch"] if player in here]
        if len(here) < 2 or len(self.state["rematch"]) < len(here):
            return False
        self.begin(here)
        return True

    def finish(self, winners, reason):
        if self.state["phase"] == "wait":
            self.ctx.cancel_timer("settle")
        self.state["phase"] = "done"
        self.ctx.end({"winners": winners, "reason": reason})

    # Words

    def waiting(self):
        return [one for one in self.state["standing"] if one not in self.state["guesses"]]

    def here(self):
        return [player for player in self.state["players"] if player in self.ctx.players]

    def give_turn(self, seconds):
        expect = {"body": self.state["samples"], "to": [self.me], "also": "guess N, any number"}
        self.ctx.set_turn(self.waiting(), seconds=seconds, expect=expect)

    def source(self):
        return self.url.split("/")[2]

    def at(self):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(self.ctx.now())))

    def rules(self):
        words = '"price" or "price SYMBOL" asks %s; I know %s, in %s.' % (
            self.source(),
            ", ".join(self.symbols),
            self.unit,
        )
        if self.bet:
            words += (
                ' The bet: what does %s cost %g seconds after the last guess? "guess N", sealed:'
                ' to=["%s"]; a public guess is void. The nearest wins. "concede" gives up, "rematch"'
                " after the end bets again." % (self.symbols[0], self.delay, self.me)
            )
        return words

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
