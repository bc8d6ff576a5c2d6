"""Which names of which modules a referee may import.

One row per module; a name that is not listed does not exist for bots. Listed by hand,
not derived from what is public: a third of the known gadgets are public names
(`typing.get_type_hints` evaluates strings, `functools.update_wrapper` swaps code,
`traceback.walk_stack` hands out frames). A new name needs a look at what it returns
and a line in tests/attacks/test_bot_gadgets.py. Names in `OWN` are not the
library's but this package's: chance and time come from the host.
"""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Iterable

#: Names of the library's modules.
TABLE: dict[str, str] = {
    "base64": (
        "a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode "
        "b64decode b64encode b85decode b85encode decodebytes encodebytes standard_b64decode "
        "standard_b64encode urlsafe_b64decode urlsafe_b64encode"
    ),
    "certifi": "",
    "charset_normalizer": "detect from_bytes",
    "collections": "ChainMap Counter defaultdict deque namedtuple OrderedDict UserDict UserList",
    "collections.abc": (
        "Callable Collection Container Generator Hashable ItemsView Iterable Iterator KeysView "
        "Mapping MappingView MutableMapping MutableSequence MutableSet Reversible Sequence Set "
        "Sized ValuesView"
    ),
    "copy": "copy deepcopy Error error",
    "datetime": "MAXYEAR MINYEAR time timedelta timezone tzinfo UTC",
    "email": "message_from_bytes message_from_string",
    "email.header": "decode_header Header make_header",
    "email.message": "EmailMessage Message",
    "email.mime.multipart": "MIMEMultipart",
    "email.mime.text": "MIMEText",
    "email.utils": (
        "format_datetime formataddr getaddresses parseaddr parsedate parsedate_to_datetime quote "
        "unquote"
    ),
    "functools": (
        "cache cached_property cmp_to_key lru_cache partial partialmethod reduce total_ordering"
    ),
    "hashlib": (
        "algorithms_available algorithms_guaranteed blake2b blake2s md5 new pbkdf2_hmac scrypt "
        "sha1 sha224 sha256 sha384 sha3_224 sha3_256 sha3_384 sha3_512 sha512 shake_128 shake_256"
    ),
    "hmac": "compare_digest digest HMAC new",
    "http": "HTTPMethod HTTPStatus",
    "http.client": (
        "BadStatusLine CannotSendRequest HTTP_PORT HTTPConnection HTTPException HTTPResponse "
        "HTTPS_PORT HTTPSConnection ImproperConnectionState IncompleteRead InvalidURL LineTooLong "
        "NotConnected RemoteDisconnected ResponseNotReady responses UnknownProtocol"
    ),
    "http.cookies": "CookieError Morsel SimpleCookie",
    "idna": "decode encode IDNAError InvalidCodepoint",
    "io": "BytesIO SEEK_CUR SEEK_END SEEK_SET StringIO UnsupportedOperation",
    "itertools": (
        "accumulate batched chain combinations combinations_with_replacement compress count cycle "
        "dropwhile filterfalse groupby islice pairwise permutations product repeat starmap "
        "takewhile tee zip_longest"
    ),
    "json": "dump dumps JSONDecodeError JSONDecoder JSONEncoder load loads",
    "math": (
        "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e "
        "erf erfc exp exp2 expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose "
        "isfinite isinf isnan isqrt lcm ldexp lgamma log log10 log1p log2 modf nan nextafter perm "
        "pi pow prod radians remainder sin sinh sqrt sumprod tan tanh tau trunc ulp"
    ),
    "random": "",
    "re": (
        "A ASCII compile DOTALL error escape findall finditer fullmatch I IGNORECASE L LOCALE M "
        "Match match MULTILINE NOFLAG Pattern PatternError purge RegexFlag S search split sub "
        "subn U UNICODE VERBOSE X"
    ),
    "requests": (
        "codes ConnectionError ConnectTimeout delete get head HTTPError JSONDecodeError options "
        "patch post PreparedRequest put ReadTimeout Request request RequestException Response "
        "Session session Timeout TooManyRedirects URLRequired"
    ),
    "requests.adapters": "HTTPAdapter",
    "requests.auth": "AuthBase HTTPBasicAuth HTTPDigestAuth HTTPProxyAuth",
    "requests.exceptions": (
        "ChunkedEncodingError ConnectionError ConnectTimeout ContentDecodingError HTTPError "
        "InvalidHeader InvalidJSONError InvalidSchema InvalidURL JSONDecodeError MissingSchema "
        "ProxyError ReadTimeout RequestException RetryError SSLError StreamConsumedError Timeout "
        "TooManyRedirects URLRequired"
    ),
    "secrets": "",
    "socket": (
        "AF_INET AF_INET6 AF_UNIX AF_UNSPEC AI_ADDRCONFIG AI_CANONNAME create_connection "
        "create_server EAI_AGAIN EAI_NONAME error gaierror getaddrinfo getdefaulttimeout getfqdn "
        "gethostbyaddr gethostbyname gethostbyname_ex gethostname getnameinfo has_ipv6 herror "
        "htonl htons inet_aton inet_ntoa inet_ntop inet_pton IPPROTO_TCP IPPROTO_UDP MSG_PEEK "
        "ntohl ntohs setdefaulttimeout SHUT_RD SHUT_RDWR SHUT_WR SO_KEEPALIVE SO_LINGER SO_RCVBUF "
        "SO_REUSEADDR SO_SNDBUF SOCK_DGRAM SOCK_RAW SOCK_STREAM socket socketpair SOL_SOCKET "
        "TCP_NODELAY timeout"
    ),
    "ssl": (
        "CERT_NONE CERT_OPTIONAL CERT_REQUIRED cert_time_to_seconds CertificateError "
        "create_default_context DER_cert_to_PEM_cert get_server_certificate HAS_ALPN HAS_SNI "
        "PEM_cert_to_DER_cert PROTOCOL_TLS_CLIENT Purpose "
        "SSLCertVerificationError SSLContext SSLEOFError SSLError SSLWantReadError "
        "SSLWantWriteError SSLZeroReturnError TLSVersion"
    ),
    "sys": "",
    "time": "",
    "traceback": "",
    "typing": "",
    "urllib": "",
    "urllib.error": "ContentTooShortError HTTPError URLError",
    "urllib.parse": (
        "parse_qs parse_qsl ParseResult quote quote_from_bytes quote_plus SplitResult unquote "
        "unquote_plus unquote_to_bytes urldefrag urlencode urljoin urlparse urlsplit urlunparse "
        "urlunsplit"
    ),
    "urllib.request": "HTTPError Request",
    "urllib3": "HTTPResponse PoolManager request Retry Timeout",
    "urllib3.exceptions": (
        "ConnectTimeoutError HTTPError HTTPWarning InsecureRequestWarning LocationParseError "
        "MaxRetryError NewConnectionError ProtocolError ReadTimeoutError RequestError SSLError "
        "TimeoutError"
    ),
    "urllib3.util": "make_headers parse_url Retry Timeout",
    "uuid": "NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 UUID uuid3 uuid5",
    "warnings": "",
    "weakref": "proxy ref ReferenceType WeakKeyDictionary WeakSet WeakValueDictionary",
}

#: Names of this package's own, made by `sandbox/language/modules.py`.
OWN: dict[str, str] = {
    "certifi": "contents where",
    "datetime": "date datetime",
    "functools": "wraps",
    "random": (
        "betavariate choice choices expovariate gammavariate gauss getrandbits lognormvariate "
        "normalvariate paretovariate randbytes randint Random random randrange sample seed "
        "shuffle SystemRandom triangular uniform vonmisesvariate weibullvariate"
    ),
    "secrets": (
        "choice compare_digest randbelow randbits SystemRandom token_bytes token_hex token_urlsafe"
    ),
    "sys": (
        "argv byteorder exc_info exit float_info getrecursionlimit intern maxsize maxunicode "
        "platform stderr stdout version version_info"
    ),
    "time": (
        "altzone asctime ctime daylight gmtime localtime mktime monotonic monotonic_ns "
        "perf_counter perf_counter_ns process_time process_time_ns sleep strftime strptime "
        "struct_time thread_time thread_time_ns time time_ns timezone tzname"
    ),
    "traceback": "format_exc format_exception format_exception_only print_exc print_exception",
    "typing": (
        "Any AnyStr Callable cast ClassVar Collection Container Counter DefaultDict Deque Dict "
        "Final FrozenSet Generator Generic Hashable Iterable Iterator List Literal Mapping "
        "MutableMapping MutableSequence MutableSet NewType NoReturn Optional OrderedDict Sequence "
        "Set Sized Text Tuple Type TYPE_CHECKING TypeAlias TypeVar Union"
    ),
    "urllib.request": "urlopen",
    "uuid": "uuid4",
    "warnings": "catch_warnings filterwarnings resetwarnings simplefilter warn",
}

#: Under this name a source imports the library of referees: a text, see `library.py`.
LIBRARY = "referee"

#: Packages on the way to a listed module, with no names of their own.
PACKAGES = ("email.mime",)

#: What a bot's class may inherit from besides builtins, exceptions and its own classes.
BASES = (
    "collections.ChainMap",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "json.JSONDecoder",
    "json.JSONEncoder",
    "requests.auth.AuthBase",
)

#: Library types whose items a bot may assign.
ITEMS = (
    "collections.ChainMap",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.UserDict",
    "collections.UserList",
    "collections.defaultdict",
    "collections.deque",
    "email.message.Message",
    "http.cookies.BaseCookie",
    "http.cookies.Morsel",
    "requests.structures.CaseInsensitiveDict",
    "weakref.WeakKeyDictionary",
    "weakref.WeakValueDictionary",
)

#: Attributes of library objects a bot may set. Nothing that names a file.
SETTABLE = {
    "requests.Session": "auth cookies headers hooks max_redirects params proxies stream trust_env",
    "requests.Request": "auth cookies data files headers json method params url",
    "requests.Response": "encoding",
    "ssl.SSLContext": "check_hostname maximum_version minimum_version verify_mode",
    "http.cookies.BaseCookie": "",
}


#: Names that an older Python does not have, with the version they came with.
SINCE = {"itertools.batched": (3, 12), "math.sumprod": (3, 12), "re.PatternError": (3, 13)}
_SHOWN = 450  #: characters of a list of names in a refusal


def words(text: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(text.split())


def is_allowed(path: str) -> bool:
    """True for a dotted module path that an import statement may name."""
    return path in TABLE or path in PACKAGES


@functools.cache
def names(path: str) -> frozenset[str]:
    """What a bot finds in a module of the table on this Python, without the modules below it."""
    return frozenset(
        name
        for name in (*TABLE.get(path, "").split(), *OWN.get(path, "").split())
        if sys.version_info >= SINCE.get(f"{path}.{name}", ())
    )


@functools.cache
def children(path: str) -> tuple[str, ...]:
    """The paths of the modules one level below one."""
    return tuple(p for p in (*TABLE, *PACKAGES) if p.rpartition(".")[0] == path)


def refused(path: str) -> str:
    """What is said of an import that is not allowed."""
    return f"Import of '{path[:100]}' is not allowed{like(path, (*TABLE, *PACKAGES))}"


def lacking(path: str, name: str, among: frozenset[str] | None = None) -> str:
    """What is said of a name that a module of the table does not have for bots, or the library,
    which has those ``among``."""
    if f"{path}.{name}" in children(path):
        return f"module '{path}' has no attribute '{name}' without import {path}.{name}"
    if among is None:
        among = names(path) | {child.rpartition(".")[2] for child in children(path)}
    known = sorted(among, key=str.lower)
    shown = ", ".join(known)
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN].rpartition(", ")[0] + ", ..."
    told = f"module '{path}' has no attribute '{name[:100]}' for bots"
    return f"{told}{like(name, known)}; it has {shown}"


def like(name: str, known: Iterable[str]) -> str:
    """``; did you mean x?`` where something is written nearly as ``name`` is, else nothing."""
    folded = {other.lower(): other for other in known}
    found = difflib.get_close_matches(name[:100].lower(), folded, 1, 0.75)
    return f"; did you mean {folded[found[0]]}?" if found else ""
