"""Which names of which modules a referee may import. Changes when one is added or closed.

One row per module; a name that is not listed does not exist for bots. Listed by hand,
not derived from what is public: a third of the known gadgets are public names
(`typing.get_type_hints` evaluates strings, `functools.update_wrapper` swaps code,
`traceback.walk_stack` hands out frames). A new name needs a look at what it returns
and a line in tests/attacks/test_bot_gadgets.py. Modules marked in `OWN` are not the
library's but this package's: chance and time come from the host.
"""

from __future__ import annotations

_NETWORK_ERRORS = "RequestException ConnectionError HTTPError Timeout"

TABLE: dict[str, str] = {
    "base64": "b16decode b16encode b32decode b32encode b32hexdecode b32hexencode b64decode b64encode"
    " b85decode b85encode a85decode a85encode decodebytes encodebytes standard_b64decode"
    " standard_b64encode urlsafe_b64decode urlsafe_b64encode",
    "certifi": "",
    "charset_normalizer": "from_bytes detect is_binary",
    "collections": "ChainMap Counter OrderedDict UserDict UserList defaultdict deque namedtuple",
    "collections.abc": "Callable Collection Container Generator Hashable ItemsView Iterable Iterator"
    " KeysView Mapping MappingView MutableMapping MutableSequence MutableSet Reversible Sequence"
    " Set Sized ValuesView",
    "copy": "copy deepcopy Error error",
    "datetime": "MAXYEAR MINYEAR UTC time timedelta timezone tzinfo",
    "email": "message_from_bytes message_from_string",
    "email.header": "Header decode_header make_header",
    "email.message": "EmailMessage Message",
    "email.mime.multipart": "MIMEMultipart",
    "email.mime.text": "MIMEText",
    "email.utils": "formataddr getaddresses parseaddr parsedate parsedate_to_datetime"
    " format_datetime quote unquote",
    "functools": "cache cached_property cmp_to_key lru_cache partial partialmethod reduce"
    " total_ordering",
    "hashlib": "algorithms_available algorithms_guaranteed blake2b blake2s md5 new pbkdf2_hmac scrypt"
    " sha1 sha224 sha256 sha384 sha512 sha3_224 sha3_256 sha3_384 sha3_512 shake_128 shake_256",
    "hmac": "HMAC compare_digest digest new",
    "http": "HTTPMethod HTTPStatus",
    "http.client": "HTTPConnection HTTPException HTTPResponse HTTPSConnection BadStatusLine"
    " CannotSendRequest ImproperConnectionState IncompleteRead InvalidURL LineTooLong NotConnected"
    " RemoteDisconnected ResponseNotReady UnknownProtocol HTTP_PORT HTTPS_PORT responses",
    "http.cookies": "CookieError Morsel SimpleCookie",
    "idna": "IDNAError decode encode InvalidCodepoint",
    "io": "BytesIO StringIO SEEK_CUR SEEK_END SEEK_SET UnsupportedOperation",
    "itertools": "accumulate batched chain combinations combinations_with_replacement compress count"
    " cycle dropwhile filterfalse groupby islice pairwise permutations product repeat starmap"
    " takewhile tee zip_longest",
    "json": "JSONDecodeError JSONDecoder JSONEncoder dump dumps load loads",
    "math": "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e"
    " erf erfc exp exp2 expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose"
    " isfinite isinf isnan isqrt lcm ldexp lgamma log log10 log1p log2 modf nan nextafter perm pi"
    " pow prod radians remainder sin sinh sqrt sumprod tan tanh tau trunc ulp",
    "random": "",
    "re": "A ASCII DOTALL I IGNORECASE L LOCALE M MULTILINE Match NOFLAG Pattern PatternError"
    " RegexFlag S U UNICODE VERBOSE X compile error escape findall finditer fullmatch match purge"
    " search split sub subn",
    "requests": "ConnectTimeout ConnectionError HTTPError JSONDecodeError PreparedRequest ReadTimeout"
    " Request RequestException Response Session Timeout TooManyRedirects URLRequired codes delete"
    " get head options patch post put request session",
    "requests.adapters": "HTTPAdapter",
    "requests.auth": "HTTPBasicAuth HTTPDigestAuth HTTPProxyAuth",
    "requests.exceptions": "ChunkedEncodingError ConnectTimeout ConnectionError ContentDecodingError"
    " HTTPError InvalidHeader InvalidJSONError InvalidSchema InvalidURL JSONDecodeError"
    " MissingSchema ProxyError ReadTimeout RequestException RetryError SSLError StreamConsumedError"
    " Timeout TooManyRedirects URLRequired",
    "secrets": "",
    "socket": "AF_INET AF_INET6 AF_UNSPEC AI_CANONNAME IPPROTO_TCP SHUT_RD SHUT_RDWR SHUT_WR"
    " SOCK_STREAM SOL_SOCKET SO_KEEPALIVE TCP_NODELAY create_connection error gaierror getaddrinfo"
    " gethostbyname getdefaulttimeout herror htonl htons inet_aton inet_ntoa inet_ntop inet_pton"
    " ntohl ntohs setdefaulttimeout socket timeout",
    "ssl": "CERT_NONE CERT_OPTIONAL CERT_REQUIRED CertificateError DER_cert_to_PEM_cert HAS_ALPN"
    " HAS_SNI OPENSSL_VERSION PEM_cert_to_DER_cert PROTOCOL_TLS_CLIENT Purpose SSLContext"
    " SSLCertVerificationError SSLEOFError SSLError SSLWantReadError SSLWantWriteError"
    " SSLZeroReturnError TLSVersion cert_time_to_seconds create_default_context"
    " get_server_certificate",
    "sys": "",
    "time": "",
    "traceback": "",
    "typing": "Any AnyStr Callable ClassVar Collection Container Counter DefaultDict Deque Dict Final"
    " FrozenSet Generator Generic Hashable Iterable Iterator List Literal Mapping MutableMapping"
    " MutableSequence MutableSet NewType NoReturn Optional OrderedDict Sequence Set Sized TYPE_CHECKING"
    " Text Tuple Type TypeAlias TypeVar Union cast",
    "urllib": "",
    "urllib.error": "ContentTooShortError HTTPError URLError",
    "urllib.parse": "ParseResult SplitResult parse_qs parse_qsl quote quote_from_bytes quote_plus"
    " unquote unquote_plus unquote_to_bytes urldefrag urlencode urljoin urlparse urlsplit urlunparse"
    " urlunsplit",
    "urllib.request": "Request HTTPError",
    "urllib3": "HTTPResponse PoolManager Retry Timeout request",
    "urllib3.exceptions": "ConnectTimeoutError HTTPError HTTPWarning InsecureRequestWarning"
    " LocationParseError MaxRetryError NewConnectionError ProtocolError ReadTimeoutError RequestError"
    " SSLError TimeoutError",
    "urllib3.util": "Retry Timeout parse_url make_headers",
    "uuid": "NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 UUID uuid3 uuid5",
    "warnings": "",
    "weakref": "ReferenceType WeakKeyDictionary WeakSet WeakValueDictionary proxy ref",
}

#: Packages on the way to a listed module, with no names of their own.
PACKAGES = ("email.mime",)

#: What a bot's class may inherit from besides builtins, exceptions and its own classes.
BASES = (
    "collections.ChainMap", "collections.Counter", "collections.OrderedDict",
    "collections.defaultdict", "collections.deque", "json.JSONDecoder", "json.JSONEncoder",
    "requests.auth.AuthBase", "typing.Generic",
)  # fmt: skip

#: Library types whose items a bot may assign.
ITEMS = (
    "collections.ChainMap", "collections.Counter", "collections.OrderedDict",
    "collections.UserDict", "collections.UserList", "collections.defaultdict", "collections.deque",
    "email.message.Message", "http.cookies.BaseCookie", "http.cookies.Morsel",
    "requests.structures.CaseInsensitiveDict", "weakref.WeakKeyDictionary",
    "weakref.WeakValueDictionary",
)  # fmt: skip

#: Attributes of library objects a bot may set. Nothing that names a file.
SETTABLE = {
    "requests.Session": "auth cookies headers hooks max_redirects params proxies stream trust_env",
    "requests.Request": "auth cookies data files headers json method params url",
    "requests.Response": "encoding",
    "ssl.SSLContext": "check_hostname maximum_version minimum_version verify_mode",
    "http.cookies.BaseCookie": "",
}


def is_allowed(path: str) -> bool:
    """True for a dotted module path that an import statement may name."""
    return path in TABLE or path in PACKAGES
