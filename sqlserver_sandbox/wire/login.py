"""LOGIN7 ([MS-TDS] 2.2.6.4): who is there, and what they want."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.wire.fields import utf16_text
from sqlserver_sandbox.wire.refusals import protocol_error

TDS_7_4 = 0x7400_0004
FIXED = struct.Struct("<IIIIIIBBBBiI")
HOST, USER, PASSWORD, APPLICATION, SERVER, EXTENSION, LIBRARY, LANGUAGE, DATABASE = range(9)
ATTACH_FILE, NEW_PASSWORD = 10, 11
OFFSETS_START = 36
CLIENT_ID_SIZE = 6

INTEGRATED_SECURITY = 0x80  # OptionFlags2
CHANGE_PASSWORD = 0x01  # OptionFlags3
HAS_EXTENSION = 0x10  # OptionFlags3

FEATURE_FEDERATED_AUTHENTICATION = 0x02
FEATURE_UTF8 = 0x0A
SECURITY_TOKEN = 0x01
"""The library of a client that has its token already; the others ask the server which directory issues one."""
FEATURES_END = 0xFF


@dataclass(frozen=True)
class Login:
    """What LOGIN7 said. Password and token never show in a repr."""

    tds_version: int
    packet_size: int
    host: str
    user: str
    password: str = field(repr=False)
    application: str
    database: str
    language: str
    features: frozenset[int]
    token: str | None = field(default=None, repr=False)
    """The access token that stands for user and password."""

    @property
    def reads_utf8(self) -> bool:
        """Whether the client decodes char and varchar of the _UTF8 collations."""
        return FEATURE_UTF8 in self.features

    @property
    def wants_extensions(self) -> bool:
        return bool(self.features)


def login_failed(user: str) -> SqlError:
    """What SQL Server answers to a wrong user name or password; which of the two it was, it does not say."""
    return SqlError(18456, f"Login failed for user '{user}'.", class_=14)


def parse_login(data: bytes) -> Login:
    """The login, or the SqlError that tells the client why it is refused."""
    if len(data) < OFFSETS_START + 58:
        raise protocol_error("LOGIN7 is shorter than its fixed part")
    (_length, version, packet_size, _program, _process, _connection, _flags1, flags2, _type, flags3, _zone, _lcid) = (
        FIXED.unpack_from(data)
    )
    # The fields after DATABASE are shifted by the six bytes of the client's hardware address.
    _refuse_unsupported(data, version, flags2, flags3)
    features = _features(data) if flags3 & HAS_EXTENSION else {}
    federated = features.get(FEATURE_FEDERATED_AUTHENTICATION)
    return Login(
        tds_version=version,
        packet_size=packet_size,
        host=_text(data, HOST),
        user=_text(data, USER),
        password=_password(data),
        application=_text(data, APPLICATION),
        database=_text(data, DATABASE),
        language=_text(data, LANGUAGE),
        features=frozenset(features),
        token=None if federated is None else _token(federated),
    )


def _refuse_unsupported(data: bytes, version: int, flags2: int, flags3: int) -> None:
    if version < TDS_7_4:
        raise SqlError(
            18456, f"Login failed: the client speaks TDS {version:#010x}; sqlserver_sandbox speaks 7.4 only.", class_=14
        )
    if flags2 & INTEGRATED_SECURITY:
        raise SqlError(
            18452,
            "Login failed. sqlserver_sandbox has no Integrated (Windows, Kerberos) authentication; "
            "use a user name and password.",
            class_=14,
        )
    if flags3 & CHANGE_PASSWORD or _span(data, NEW_PASSWORD):
        raise SqlError(18456, "Login failed: sqlserver_sandbox cannot change a password at login.", class_=14)
    if _span(data, ATTACH_FILE):
        raise SqlError(18456, "Login failed: sqlserver_sandbox cannot attach a database file.", class_=14)
    language = _text(data, LANGUAGE)
    if language.lower() not in ("", "us_english", "english"):
        raise SqlError(
            18456, f"Login failed: sqlserver_sandbox has no language '{language}', only us_english.", class_=14
        )


def _span(data: bytes, index: int) -> bytes:
    """The bytes of one variable field (text: two per character)."""
    place = OFFSETS_START + 4 * index + (CLIENT_ID_SIZE if index > DATABASE else 0)
    offset, length = struct.unpack_from("<HH", data, place)
    size = length if index == EXTENSION else 2 * length
    if offset + size > len(data):
        raise protocol_error("a LOGIN7 field lies outside its message")
    return data[offset : offset + size]


def _text(data: bytes, index: int) -> str:
    return utf16_text(_span(data, index))


def _password(data: bytes) -> str:
    """LOGIN7 hides a password by exclusive-or with 0xA5 after swapping each byte's halves."""
    hidden = _span(data, PASSWORD)
    swapped = bytes(((byte ^ 0xA5) << 4 & 0xF0) | ((byte ^ 0xA5) >> 4) for byte in hidden)
    return utf16_text(swapped)


def _features(data: bytes) -> dict[int, bytes]:
    """The features asked for in FeatureExt, each with its data. The EXTENSION field points to where their list begins."""
    pointer = _span(data, EXTENSION)
    if len(pointer) < 4:
        raise protocol_error("LOGIN7 announces extensions and points to none")
    position = int.from_bytes(pointer[:4], "little")
    features: dict[int, bytes] = {}
    while position < len(data) and data[position] != FEATURES_END:
        start = position + 5
        end = start + int.from_bytes(data[position + 1 : start], "little")
        if end > len(data):
            raise protocol_error("the LOGIN7 feature list is cut short")
        features[data[position]] = data[start:end]
        position = end
    return features


def _token(federated: bytes) -> str:
    """The token of the FEDAUTH feature: a byte of options (the library, and an echo of the server's PRELOGIN), a length, and
    UTF-16."""
    if len(federated) < 5:
        raise protocol_error("the FEDAUTH feature is cut short")
    if federated[0] >> 1 != SECURITY_TOKEN:
        raise SqlError(
            18456,
            "Login failed: sqlserver_sandbox has no Microsoft Entra ID to send a client to; use an access token, or a user "
            "name and password.",
            class_=14,
        )
    size = int.from_bytes(federated[1:5], "little")
    if 5 + size > len(federated):
        raise protocol_error("the access token is cut short")
    return utf16_text(federated[5 : 5 + size])
