"""TLSBot: fetches the certificate of a site, verifies it, and says to all what it saw and when.

Moves:   check                     the site of the param host (example.com)
         check HOST or HOST:PORT   another; only those of the param hosts, if there is one
         compare FINGERPRINT       "the last one looks like this from where I am": I say whether it
                                   is the same
         history                   what I have seen last of each site; history HOST: all that I have
                                   seen of one
         done                      when all have said so it is over; "rematch" from all goes on
         or {"type": "move", "game": "tls", "action": "check", "value": "example.com"}

I connect as a browser would, with the authorities that this server trusts, and check chain, name
and validity. If one of them fails I say which, connect once more without checking, and show the
certificate that is there. A fingerprint is the SHA-256 of the whole certificate as it goes over the
line (DER):
openssl s_client -connect HOST:443 -servername HOST </dev/null |
    openssl x509 -noout -fingerprint -sha256
A site may show several certificates in turn, so another fingerprint than yours is a question, no
proof.

There are as many checks as the param checks says (20). Silence for as many seconds as the param
seconds says (a day; null: no clock) ends it. Who leaves has said done.
"""

import datetime
import hashlib
import re
import socket
import ssl

from referee import Game, command, utc

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
                "minItems": 1,
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
    "show": [
        {"panel": "text", "of": "text", "in": "certificate", "title": "Last check"},
        {
            "panel": "text",
            "of": "fingerprint",
            "in": "certificate",
            "title": "Fingerprint of the last seen",
        },
        {"panel": "table", "of": "names", "title": "Names of the last seen"},
        {"panel": "table", "of": "chain", "title": "Chain of the last seen"},
        {"panel": "table", "of": "seen", "title": "What was seen when"},
    ],
}

DAY = 86400
#: Seconds for connecting and for the handshake: a hook has four for the network.
PATIENCE, ONCE_MORE = 1.5, 0.5
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
SITE = re.compile(rf"({LABEL}(?:\.{LABEL})*)\.?(?::([0-9]{{1,5}}))?")
SITES = 50  #: of which what was seen is kept
SHOWN = 20  #: names of a certificate, and sights of a site that are kept
ATTRIBUTES = {"550403": "CN", "55040a": "O", "550406": "C"}

UNKNOWN = "it was issued by an authority that is not trusted here, or its site sends no chain"
PROBLEMS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed: it vouches for itself, and no authority does",
    19: "its chain ends in a root that is not trusted here",
    20: UNKNOWN,
    21: UNKNOWN,
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
    return int(datetime.datetime(year, *rest, tzinfo=datetime.UTC).timestamp())


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
        raise Unreadable("it is not built as a certificate is") from None


def site(text):
    """(host, port) of what was asked for, or None."""
    found = SITE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or len(found.group(1)) > 253:
        return None
    port = int(found.groups()[-1] or 443)
    return (found.group(1).lower(), port) if 0 < port < 65536 else None


def plain(value):
    """The digits of a fingerprint, however it is written."""
    return str(value).lower().removeprefix("sha256:").replace(":", "")


class TLSBot(Game):
    manifest = MANIFEST
    game, noun = "tls", "session"
    moves = ("check", "compare", "history", "done")
    once = ("done",)
    gives_up = None
    least = 1
    rotates = False

    def check(self):
        self.host, self.hosts = self.params["host"], self.params["hosts"]
        for name in [self.host, *(self.hosts or [])]:
            if site(name) is None:
                raise ValueError("host and hosts are names such as example.com or example.com:443")
        if self.state["phase"] != "open":  # who has a seat takes part, even alone or late
            self.state |= {"players": self.ctx.players, "standing": self.ctx.players}

    # Moves

    def read(self, body):
        """(move, value), or (None, None) for talk. A colon belongs to a site or a fingerprint."""
        move, rest = command(body)
        named = rest.rstrip(" .!").split()
        if move in ("check", "compare", "history") and len(named) == 1:
            return move, named[0]
        return super().read(body)

    def illegal(self, player, move, value):
        last = self.state["last"]
        if move == "compare" and last is None:
            return "no certificate has been seen yet"
        if move == "compare" and not re.fullmatch("[0-9a-f]{64}", plain(value)):
            return "a fingerprint is the SHA-256 of the certificate, 64 hex digits"
        if move in ("check", "history") and value is not None and site(value) is None:
            return "a site is a name such as example.com or example.com:8443, without https://"
        return self.no_check(value) if move == "check" else None

    def no_check(self, value):
        if self.state["checks"] >= self.params["checks"]:
            return f"all {self.params['checks']} checks are made"
        wanted = site(self.host if value is None else value)
        if self.hosts is not None and wanted not in [site(one) for one in self.hosts]:
            return f"only these are checked here: {', '.join(self.hosts)}"
        return None

    def begin(self, players):
        """Open a session; what was seen before stays."""
        kept = {"seen": self.state.get("seen", {}), "last": self.state.get("last")}
        self.deal(players, checks=0, valid=0, **kept)
        self.go_on()

    def play(self, player, move, value):
        if move == "check":
            self.show(*site(self.host if value is None else value))
        elif move == "compare":
            self.compare(player, plain(value))
        elif move == "history":
            self.history(value)
        else:
            self.state["done"].append(player)
        self.go_on()

    def go_on(self):
        """Wait for all who have not said done, or end."""
        waiting, bodies = self.missing("done"), ["done"]
        if not waiting:
            self.finish([], "all are done")
            return
        if self.state["checks"] < self.params["checks"]:
            first = self.hosts[0] if self.hosts else self.host
            bodies.insert(len(bodies) if self.state["checks"] else 0, f"check {first}")
        also = "check HOST, compare FINGERPRINT, history"
        self.ask(waiting, {"body": bodies, "also": also})

    def on_leave(self, player_id):
        if self.state["phase"] == "playing":
            self.go_on()
            self.save()
        else:
            super().on_leave(player_id)

    def late(self):
        self.finish([], "nobody said anything in time")

    def finish(self, winners, reason):
        state = self.state
        told = f"{reason}; checks: {state['checks']}, valid: {state['valid']}"
        super().finish([], told)

    def compare(self, player, digits):
        last, found = self.state["last"], f"sha256:{digits}"
        shown = {"type": "compared", "player": player, "site": last["site"]}
        self.say(shown | {"same": last["fingerprint"] == found, "fingerprint": found})

    def history(self, value):
        seen = self.state["seen"]
        shown = {name: seen[name][-1:] for name in sorted(seen)}
        if value is not None:
            host, port = site(value)
            shown = {f"{host}:{port}": seen.get(f"{host}:{port}", [])}
        self.say({"type": "history", "seen": shown})

    # A certificate

    def show(self, host, port):
        self.state["checks"] += 1
        shown = {"type": "certificate", "host": host, "port": port, "at": utc(self.ctx.now())}
        try:
            found = self.look(host, port)
        except Unreadable as error:
            found = {"valid": False, "text": f"what {host} shows is none: {error}"}
        except OSError as error:
            found = {"valid": False, "text": f"{host}: {self.unreachable(error)}"}
        self.say(shown | found)

    def look(self, host, port):
        """What is to be said of the certificate of a site."""
        try:
            chain, line = self.fetch(host, port, True)
            problem = None
        except ssl.SSLCertVerificationError as error:
            problem = PROBLEMS.get(error.verify_code, f"it is refused: {error.verify_message}")
            try:
                chain, line = self.fetch(host, port, False)
            except OSError:
                return {"valid": False, "text": f"NOT valid for {host}: {problem}"}
        read = [read_certificate(der) for der in chain[:8]]
        leaf, now = read[0], self.ctx.now()
        known = self.remember(host, port, leaf, problem)
        who = ("subject", "issuer", "fingerprint")
        chain = [{key: one[key] for key in who} | {"to": utc(one["to"])} for one in read]
        shown = {key: leaf[key] for key in (*who, "serial")}
        shown |= {"valid": problem is None, "text": self.verdict(host, leaf, problem)}
        shown |= {"valid_from": utc(leaf["from"]), "valid_to": utc(leaf["to"])}
        shown |= {"days_left": int((leaf["to"] - now) // DAY)}
        return line | known | shown | {"names": leaf["names"][:SHOWN], "chain": chain}

    def fetch(self, host, port, verify):
        """The certificates of a site, its own first, and how the connection is encrypted."""
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        patience = PATIENCE if verify else ONCE_MORE
        with (
            socket.create_connection((host, port), timeout=patience) as raw,
            context.wrap_socket(raw, server_hostname=host) as line,
        ):
            leaf = line.getpeercert(binary_form=True)
            # Pythons before 3.13 verify the chain and show its first certificate only.
            whole = getattr(line, f"get_{'' if verify else 'un'}verified_chain", None)
            chain = [leaf] if whole is None else [bytes(der) for der in whole()]
            how = {"protocol": line.version(), "cipher": line.cipher()[0]}
            return chain or [leaf], how | {"whole_chain": whole is not None}

    def verdict(self, host, leaf, problem):
        dates = f"from {utc(leaf['from'])[:10]} to {utc(leaf['to'])[:10]}"
        if problem is None:
            return f"valid for {host}, {dates}, issued by {leaf['issuer']}"
        late = leaf["to"] < self.ctx.now() and "expired" not in problem
        return f"NOT valid for {host}: {problem} ({dates})" + "; it has expired, too" * late

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
        name = f"{host}:{port}"
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
        known["first_seen"] = same[0]["at"] if same else utc(self.ctx.now())
        sight = {"at": utc(self.ctx.now()), "fingerprint": leaf["fingerprint"]}
        sights.append(sight | {"valid": problem is None})
        if len(sights) > SHOWN:  # the first sight stays
            sights.pop(1)
        self.state["last"] = {"site": name, "fingerprint": leaf["fingerprint"]}
        self.state["valid"] += problem is None
        return known

    def rules(self):
        which = "any site" if self.hosts is None else ", ".join(self.hosts)
        return (
            f'"check HOST" fetches and verifies the certificate of a site ({which}; "check" alone:'
            f' {self.host}) and shows it to all; "compare FINGERPRINT" says whether you see the'
            ' same from where you are; "history" tells what was seen when. '
            f'{self.params["checks"]} checks. When all have said "done" it is over.'
        )
