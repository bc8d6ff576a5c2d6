"""TLSBot: fetches the certificate of a site, verifies it, and says to all what it saw and when.

Moves:   check                     the site of the param host (example.com)
         check HOST or HOST:PORT   another; only those of the param hosts, if there is one
         compare FINGERPRINT       "the last one looks like this from where I am": I say whether it is the same
         history                   what I have seen last of each site; history HOST: all that I have seen of one
         done                      when all have said so it is over; "rematch" from all goes on
         or {"type": "move", "game": "tls", "action": "check", "value": "example.com"}

I connect as a browser would, with the authorities that this server trusts, and check chain, name and validity.
If one of them fails I say which, connect once more without checking, and show the certificate that is there.
A fingerprint is the SHA-256 of the whole certificate as it goes over the line (DER):
openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -fingerprint -sha256
A site may show several certificates in turn, so another fingerprint than yours is a question, no proof.

There are as many checks as the param checks says (20). Silence for as many seconds as the param seconds
says (a day; null: no clock) ends it. Who leaves has said done.
"""

import datetime
import hashlib
import re
import socket
import ssl

MANIFEST = {
    "name": "TLSBot",
    "version": "1.0",
    "summary": "The certificate of a site: chain, fingerprint, validity, and what was seen when.",
    "label": "tls",
    "seats": ["alice", "bob"],
    "min_seats": 1,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "host": {
                "type": "string",
                "default": "example.com",
                "description": "the site that check means without a name, with or without :port",
            },
            "hosts": {
                "type": ["array", "null"],
                "items": {"type": "string"},
                "default": None,
                "description": "the only sites that may be checked; null: any",
            },
            "checks": {
                "type": "integer",
                "minimum": 1,
                "maximum": 200,
                "default": 20,
                "description": "so many checks in all",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": 86400,
                "description": "silence that ends it; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "check HOST",
        "compare FINGERPRINT",
        "history",
        "done",
        "rematch",
        {"type": "move", "game": "tls", "action": "check", "value": "example.com"},
    ],
}

GAME = "tls"
YEAR = 31536000
DAY = 86400
#: Seconds for connecting and for the handshake: a hook has four for the network.
PATIENCE, ONCE_MORE = 1.5, 0.5
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
SITE = re.compile(r"(%s(?:\.%s)*)\.?(?::([0-9]{1,5}))?" % (LABEL, LABEL))
SITES = 50  #: of which what was seen is kept
SHOWN = 20  #: names of a certificate, and sights of a site that are kept
ATTRIBUTES = {"550403": "CN", "55040a": "O", "550406": "C"}

PROBLEMS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed: it vouches for itself, and no authority does",
    19: "its chain ends in a root that is not trusted here",
    20: "it was issued by an authority that is not trusted here, or its site does not send the chain",
    21: "it was issued by an authority that is not trusted here, or its site does not send the chain",
    23: "it has been revoked",
    62: "it is for other names",
    64: "it is for other addresses",
}


class Unreadable(Exception):
    """What should be a certificate is none."""


def parts(data):
    """The (tag, content) pairs of DER, one level deep."""
    found, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            raise Unreadable("cut short")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 128:
            width = length & 127
            length, at = int.from_bytes(data[at : at + width], "big"), at + width
        if at + length > len(data):
            raise Unreadable("cut short")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def words_of(tag, data):
    text = data[:512].decode("utf-16-be" if tag == 30 else "utf-8", "replace")[:120]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def name_of(data):
    """CN=..., O=... of a subject or an issuer."""
    shown = []
    for _, group in parts(data):
        for _, pair in parts(group):
            (_, kind), (tag, value) = parts(pair)[:2]
            if kind.hex() in ATTRIBUTES:
                shown.append(ATTRIBUTES[kind.hex()] + "=" + words_of(tag, value))
    return ", ".join(shown[:6])


def moment(tag, data):
    """Seconds since the epoch of a time in a certificate."""
    text = data.decode("ascii", "replace")
    if tag == 23:  # two digits for the year
        text = ("19" if text[:2] >= "50" else "20") + text
    if not re.fullmatch("[0-9]{14}Z", text):
        raise Unreadable("a time is none")
    year, rest = int(text[:4]), [int(text[at : at + 2]) for at in range(4, 14, 2)]
    utc = datetime.timezone.utc
    return int(datetime.datetime(year, *rest, tzinfo=utc).timestamp())


def alternatives(data):
    """The DNS names and addresses that a certificate is for."""
    for _, extension in parts(data):
        pieces = parts(extension)
        if pieces[0][1].hex() != "551d11":
            continue
        names = []
        for tag, value in parts(parts(pieces[-1][1])[0][1]):
            if tag == 130:
                names.append(words_of(tag, value))
            elif tag == 135 and len(value) == 4:
                names.append(".".join(str(byte) for byte in value))
            elif tag == 135:
                names.append(value.hex())
        return names
    return []


def read_certificate(der):
    """What stands in a certificate, or Unreadable."""
    try:
        fields = parts(parts(parts(der)[0][1])[0][1])
        if fields[0][0] == 160:  # the version
            fields = fields[1:]
        serial, _, issuer, validity, subject = [content for _, content in fields[:5]]
        begin, end = [moment(tag, content) for tag, content in parts(validity)[:2]]
        names = []
        for tag, content in fields[6:]:
            if tag == 163:
                names = alternatives(parts(content)[0][1])
        return {
            "fingerprint": "sha256:" + hashlib.sha256(der).hexdigest(),
            "subject": name_of(subject),
            "issuer": name_of(issuer),
            "serial": serial.hex()[:64],
            "from": begin,
            "to": end,
            "names": names,
        }
    except (IndexError, ValueError, OverflowError):
        raise Unreadable("it is not built as a certificate is")


def written(seconds):
    utc = datetime.timezone.utc
    return datetime.datetime.fromtimestamp(int(seconds), utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def site(text):
    """(host, port) of what was asked for, or None."""
    found = SITE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or len(found.group(1)) > 253:
        return None
    port = int(found.groups()[-1] or 443)
    return (found.group(1).lower(), port) if 0 < port < 65536 else None


class TLSBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.default, self.hosts = params.get("host", "example.com"), params.get("hosts")
        self.checks, self.seconds = params.get("checks", 20), params.get("seconds", 86400)
        if not isinstance(self.default, str) or site(self.default) is None:
            raise ValueError("host must be a name such as example.com, or example.com:443")
        if self.hosts is not None:
            listed = isinstance(self.hosts, list) and self.hosts
            if not listed or not all(isinstance(one, str) and site(one) for one in self.hosts):
                raise ValueError("hosts must be a list of names, or null")
        if isinstance(self.checks, bool) or self.checks not in range(1, 201):
            raise ValueError("checks must be a whole number from 1 to 200")
        if self.seconds is not None:
            number = isinstance(self.seconds, (int, float)) and not isinstance(self.seconds, bool)
            if not number or not 0 < self.seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or null")
        self.state = ctx.get_state() or {"phase": "open"}

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        self.state = {"seen": {}, "last": None}
        self.begin()
        self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action, value)
        if reason:
            self.say({"type": "violation", "player": player, "reason": reason})
            return
        if action == "check":
            self.check(*site(self.default if value is None else value))
        elif action == "compare":
            self.compare(player, self.plain(value))
        elif action == "history":
            self.history(value)
        elif action == "done":
            self.state["done"].append(player)
            self.go_on()
        else:
            self.rematch(player)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "checking":
            self.go_on()
            self.save()
        elif self.state["phase"] == "done":
            self.start_again()
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "checking":
            self.finish("nobody said anything in time")
            self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            return str(body.get("action")), body.get("value")
        words = str(body.get("text", "")).rstrip(" .!").split()
        action = words[0].lower() if words else ""
        if len(words) == 1 and action in ("check", "history", "done", "rematch"):
            return action, None
        if len(words) == 2 and action in ("check", "compare", "history"):
            return action, words[1]
        return None, None

    def objection(self, player, action, value):
        """Why this player may not do this now, or nothing."""
        if action not in ("check", "compare", "history", "done", "rematch"):
            return "the moves are check, compare, history, done and rematch"
        phase = self.state["phase"]
        if phase == "open":
            return "nothing has started"
        if player not in self.ctx.players:
            return "you have no seat here"
        if action == "rematch":
            if phase != "done":
                return "it is still going on"
            return "you have asked; waiting for the others" if player in self.state["again"] else None
        if phase == "done":
            return 'it is over; "rematch" goes on'
        if action == "done" and player in self.state["done"]:
            return "you have said so; waiting for the others"
        if action == "compare":
            return self.no_comparison(value)
        if action in ("check", "history") and value is not None and site(value) is None:
            return "a site is a name such as example.com or example.com:8443, without https://"
        return self.no_check(value) if action == "check" else None

    def no_check(self, value):
        if self.state["checks"] >= self.checks:
            return "all %d checks are made" % self.checks
        wanted = site(self.default if value is None else value)
        if self.hosts is not None and wanted not in [site(one) for one in self.hosts]:
            return "only these are checked here: " + ", ".join(self.hosts)
        return None

    def no_comparison(self, value):
        if self.state["last"] is None:
            return "no certificate has been seen yet"
        if not re.fullmatch("[0-9a-f]{64}", self.plain(value)):
            return "a fingerprint is the SHA-256 of the certificate, 64 hex digits"
        return None

    def plain(self, value):
        return str(value).lower().removeprefix("sha256:").replace(":", "")

    # What a move does

    def begin(self):
        """Open a session; what was seen before stays."""
        self.state["phase"], self.state["players"] = "checking", self.ctx.players
        self.state["done"], self.state["again"] = [], []
        self.state["checks"], self.state["valid"] = 0, 0
        self.go_on()

    def go_on(self):
        """Wait for all who have not said done, or end."""
        waiting = [one for one in self.ctx.players if one not in self.state["done"]]
        if not waiting:
            self.finish("all are done")
            return
        bodies = ["done"]
        if self.state["checks"] < self.checks:
            first = self.hosts[0] if self.hosts else self.default
            bodies.insert(len(bodies) if self.state["checks"] else 0, "check " + first)
        expect = {"body": bodies, "also": "check HOST, compare FINGERPRINT, history"}
        self.ctx.set_turn(waiting, seconds=self.seconds, expect=expect)

    def check(self, host, port):
        self.state["checks"] += 1
        shown = {"type": "certificate", "host": host, "port": port, "at": written(self.ctx.now())}
        try:
            self.say(shown | self.look(host, port))
        except Unreadable as error:
            self.say(shown | {"valid": False, "text": "what %s shows is none: %s" % (host, error)})
        except OSError as error:
            self.say(shown | {"valid": False, "text": "%s: %s" % (host, self.unreachable(error))})
        self.go_on()

    def look(self, host, port):
        """What is to be said of the certificate of a site."""
        try:
            chain, line = self.fetch(host, port, True)
            problem = None
        except ssl.SSLCertVerificationError as error:
            problem = PROBLEMS.get(error.verify_code, "it is refused: " + str(error.verify_message))
            try:
                chain, line = self.fetch(host, port, False)
            except OSError:
                return {"valid": False, "text": "NOT valid for %s: %s" % (host, problem)}
        read = [read_certificate(der) for der in chain[:8]]
        leaf, now = read[0], self.ctx.now()
        known = self.remember(host, port, leaf, problem)
        links = [
            {key: one[key] for key in ("subject", "issuer", "fingerprint")} | {"to": written(one["to"])}
            for one in read
        ]
        return line | known | {
            "valid": problem is None,
            "text": self.verdict(host, leaf, problem),
            "fingerprint": leaf["fingerprint"],
            "subject": leaf["subject"],
            "issuer": leaf["issuer"],
            "serial": leaf["serial"],
            "names": leaf["names"][:SHOWN],
            "valid_from": written(leaf["from"]),
            "valid_to": written(leaf["to"]),
            "days_left": int((leaf["to"] - now) // DAY),
            "chain": links,
        }

    def fetch(self, host, port, verify):
        """The certificates of a site, its own first, and how the connection is encrypted."""
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        patience = PATIENCE if verify else ONCE_MORE
        with socket.create_connection((host, port), timeout=patience) as raw:
            with context.wrap_socket(raw, server_hostname=host) as line:
                leaf = line.getpeercert(binary_form=True)
                # Pythons before 3.13 verify the chain and show its first certificate only.
                name = "get_verified_chain" if verify else "get_unverified_chain"
                whole = getattr(line, name, None)
                chain = [leaf] if whole is None else [bytes(der) for der in whole()]
                how = {"protocol": line.version(), "cipher": line.cipher()[0]}
                return chain or [leaf], how | {"whole_chain": whole is not None}

    def verdict(self, host, leaf, problem):
        dates = "from %s to %s" % (written(leaf["from"])[:10], written(leaf["to"])[:10])
        if problem is None:
            words = "valid for %s, %s, issued by %s" % (host, dates, leaf["issuer"])
        else:
            words = "NOT valid for %s: %s (%s)" % (host, problem, dates)
            if leaf["to"] < self.ctx.now() and "expired" not in problem:
                words += "; it has expired, too"
        return words

    def unreachable(self, error):
        """Clear words for what went wrong before there was a certificate."""
        if isinstance(error, ssl.SSLError):
            return "no TLS is spoken there, or none that is accepted here"
        if isinstance(error, PermissionError):
            return "this server does not let referees reach it"
        if isinstance(error, socket.gaierror):
            return "there is no such name"
        if isinstance(error, TimeoutError):
            return "no answer in time"
        return "it cannot be reached"

    def remember(self, host, port, leaf, problem):
        """Keep what was seen, and say how it compares with what was seen before."""
        name = "%s:%d" % (host, port)
        seen = self.state["seen"]
        sights = seen.setdefault(name, [])
        if len(seen) > SITES:  # the one that was seen first
            others = sorted((seen[one][0]["at"], one) for one in seen if one != name)
            seen.pop(others[0][1])
        before = sights[-1]["fingerprint"] if sights else None
        known = {"changed": before is not None and before != leaf["fingerprint"]}
        if known["changed"]:
            known["before"] = before
        same = [one for one in sights if one["fingerprint"] == leaf["fingerprint"]]
        known["first_seen"] = same[0]["at"] if same else written(self.ctx.now())
        sight = {"at": written(self.ctx.now()), "fingerprint": leaf["fingerprint"]}
        sights.append(sight | {"valid": problem is None})
        if len(sights) > SHOWN:  # the first sight stays
            sights.pop(1)
        self.state["last"] = {"site": name, "fingerprint": leaf["fingerprint"]}
        self.state["valid"] += problem is None
        return known

    def compare(self, player, digits):
        last = self.state["last"]
        same = last["fingerprint"] == "sha256:" + digits
        shown = {"type": "compared", "player": player, "site": last["site"], "same": same}
        self.say(shown | {"fingerprint": "sha256:" + digits})
        self.go_on()

    def history(self, value):
        seen = self.state["seen"]
        if value is not None:
            name = "%s:%d" % site(value)
            shown = {name: seen.get(name, [])}
        else:
            shown = {name: seen[name][-1:] for name in sorted(seen)}
        self.say({"type": "history", "seen": shown})
        self.go_on()

    def rematch(self, player):
        self.state["again"].append(player)
        if not self.start_again():
            text = 'say "rematch" to go on'
            self.say({"type": "rematch", "player": player, "text": text})

    def start_again(self):
        """Begin when all who are here have asked."""
        here = self.ctx.players
        if not here or not set(here) <= set(self.state["again"]):
            return False
        self.begin()
        return True

    def finish(self, reason):
        self.state["phase"] = "done"
        told = "%s; checks: %d, valid: %d" % (reason, self.state["checks"], self.state["valid"])
        self.ctx.end({"winners": [], "reason": told})

    # Words

    def rules(self):
        which = "any site" if self.hosts is None else ", ".join(self.hosts)
        return (
            '"check HOST" fetches and verifies the certificate of a site (%s; "check" alone: %s) and shows'
            ' it to all; "compare FINGERPRINT" says whether you see the same from where you are; "history"'
            ' tells what was seen when. %d checks. When all have said "done" it is over.'
            % (which, self.default, self.checks)
        )

    def say(self, body):
        self.ctx.post("bot", body)

    def save(self):
        self.ctx.set_state(self.state)
