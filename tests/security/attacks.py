"""Payloads as somebody would write them who may write to the store, and reads this package's source.

Each is made from a seed, so that what was found can be made again. Checksums are recomputed, as an attacker would
where entries are not signed; now and then they are left wrong.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
import zlib
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath
from random import Random
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from genscache.codec import Codec
from genscache.envelope import PARTS
from tests.security.rows import Point, Row

KEY: Final = "gc:1:{app.front_page}:e:abc:g=1.2"
HEAD: Final = b"\x80\x05"
OS_SYSTEM: Final = b"cos\nsystem\n(S'true'\ntR."


class Reduces:
    """Pickled as a call of whatever it is given."""

    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


def values(models: Sequence[object] = ()) -> list[object]:
    """Return results as projects have them, ``models`` among them."""
    shared = ["a", "b"]
    return [
        None,
        {"rows": [(number, f"row {number}", Decimal("1.5")) for number in range(20)]},
        [{"id": number, "when": datetime(2026, 1, 1, tzinfo=UTC), "tags": shared} for number in range(5)],
        {frozenset({1, 2}), (1, (2, (3,)))},
        [
            Fraction(1, 3),
            UUID(int=5),
            ZoneInfo("Europe/Berlin"),
            PurePosixPath("/a"),
            date(2026, 1, 1),
            time(1),
        ],
        [deque([1, 2], 5), OrderedDict(a=1), Counter("abca"), slice(1, 2), range(5), 1 + 2j, timedelta(1)],
        [ip_address("::1"), ip_network("10.0.0.0/8"), b"bytes", bytearray(b"more"), 2**200, 1.5, True],
        [Row("a", ["x"]), Point(1, 2)],
        "ä" * 300,
        *models,
    ]


def envelope(body: bytes, *, models: bytes = b"", flags: int = 0, key: str = KEY) -> bytes:
    """Return a payload with a valid checksum, made from what the documentation says alone."""
    head = b"gc1" + bytes([flags]) + hashlib.blake2b(b"pickle", digest_size=4, person=b"genscache1").digest()
    length = struct.pack(">I", len(models))
    name = key.encode()
    parts = (head, length, struct.pack(">I", len(name)), name, models, body)
    mac = hashlib.blake2b(b"".join(parts), digest_size=16, person=b"genscache1").digest()
    return head + mac + length + models + body


def text(value: str) -> bytes:
    """Return the opcode that pushes a text."""
    data = value.encode()[:255]
    return b"\x8c" + bytes([len(data)]) + data


def name(module: str, qualname: str) -> bytes:
    """Return the opcodes that push something named."""
    return text(module) + text(qualname) + b"\x93"


REVIVE: Final = name("genscache.unpickling", "revive")
NAMES: Final = [
    *[
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("sys", "exit"),
    ],
    *[
        ("functools", "partial"),
        ("operator", "attrgetter"),
        ("importlib", "import_module"),
        ("antigravity", "x"),
    ],
    *[("decimal", "Decimal"), ("datetime", "datetime"), ("datetime", "timedelta"), ("builtins", "range")],
    *[("builtins", "complex"), ("datetime", "timezone"), ("datetime", "date"), ("datetime", "time")],
    *[
        ("genscache.unpickling", "revive"),
        ("django.db.models.base", "model_unpickle"),
        ("copyreg", "__newobj__"),
    ],
]
PATHS: Final = [
    *["fractions:Fraction", "builtins:slice", "uuid:UUID", "zoneinfo:ZoneInfo", "collections:deque"],
    *["collections:OrderedDict", "collections:Counter", "pathlib:PurePosixPath", "ipaddress:IPv4Network"],
    *["ipaddress:IPv6Interface", "django.db.models.base:ModelState", "django.utils.safestring:SafeString"],
    *["tests.security.rows:Row", "tests.security.rows:Point", "tests.security.rows:dataclass", "os:system"],
    *[
        "tests.site.news.models:Section",
        "this:s",
        "antigravity:geohash",
        "tests.security.rows:Row.__init__",
        ":",
    ],
]
TEXTS: Final = [
    "",
    "x",
    "call",
    "new",
    "../../etc/passwd",
    "Europe/Paris",
    "1e999999999",
    "news",
    "section",
    "🂡",
]


class Attacker:
    """Makes payloads.

    Args:
        codec: What is attacked, to make valid payloads.
        models: Instances of models among the values.
    """

    def __init__(self, codec: Codec, models: Sequence[object] = ()) -> None:
        self._valid = [codec.encode(value, key=KEY) for value in values(models)]
        self._parts = [split(payload) for payload in self._valid]
        self._in_parts = [payload for payload in self._valid if payload[3] == PARTS]
        self._kinds: list[tuple[int, Callable[[Random], bytes]]] = [
            (3, self._noise),
            (3, self._flipped),
            (30, self._edited),
            (15, self._spliced),
            (10, self._header),
            (8, self._models),
            (30, self._program),
            (4, self._any_protocol),
            (4, self._lengths),
            (3, self._nested),
            (10, self._memo),
            (10, self._revived),
            (6, self._framed),
            *([(15, self._edited_parts), (25, self._other_parts)] if self._in_parts else []),
        ]
        self._weights = [weight for weight, _ in self._kinds]

    def attack(self, seed: int) -> tuple[str, bytes]:
        """Return the kind of attack and the payload that belongs to a seed."""
        random = Random(seed)
        # A bomb takes as long as thousands of others.
        if random.random() < 0.0001:
            return "bomb", self._bomb(random)
        _, make = random.choices(self._kinds, self._weights)[0]
        return make.__name__.strip("_"), make(random)

    def _noise(self, random: Random) -> bytes:
        data = random.randbytes(random.choice((0, 1, 3, 20, 28, 29, 60, 300)))
        return random.choice((data, b"gc1" + data, envelope(data), envelope(HEAD + data)))

    def _flipped(self, random: Random) -> bytes:
        payload = bytearray(random.choice(self._valid))
        payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
        return bytes(payload[: random.choice((len(payload), random.randrange(len(payload)))) or None])

    def _edited(self, random: Random) -> bytes:
        models, body = random.choice(self._parts)
        edited = bytearray(body)
        for _ in range(random.randint(1, 6)):
            place = random.randrange(len(edited) + 1)
            new = random.choice((random.randbytes(random.randint(0, 4)), opcode(random), opcode(random)))
            edited[place : place + random.choice((0, 0, len(new), random.randint(0, 9)))] = new
        return envelope(bytes(edited), models=models)

    def _spliced(self, random: Random) -> bytes:
        (models, one), (others, other) = random.choice(self._parts), random.choice(self._parts)
        body = one[: random.randrange(len(one) + 1)] + other[random.randrange(len(other) + 1) :]
        return envelope(body, models=random.choice((models, others, models + b"\n" + others)))

    def _header(self, random: Random) -> bytes:
        models, body = random.choice(self._parts)
        payload = bytearray(envelope(body, models=models, flags=random.choice((0, 1, 2, 255))))
        if random.random() < 0.5:
            place = random.randrange(28)
            payload[place : place + 4] = random.choice((b"\xff" * 4, bytes(4), random.randbytes(4)))
        return bytes(payload[: random.choice((len(payload), 27, 28, 29))])

    def _models(self, random: Random) -> bytes:
        models, body = random.choice(self._parts)
        lines = [
            *models.split(b"\n"),
            b"os:system\tx",
            b"\xff\xfe",
            b"\t",
            b"a" * 3000,
            b":\t",
            random.randbytes(8),
        ]
        random.shuffle(lines)
        path = random.choice(PATHS).encode()
        lines.insert(0, random.choice((path + b"\t", path + b"\tNone", models.split(b"\n")[0])))
        return envelope(body, models=b"\n".join(lines[: random.randint(1, 3)]))

    def _program(self, random: Random) -> bytes:
        body = HEAD + b"".join(opcode(random) for _ in range(random.randint(1, 40))) + b"."
        if random.random() < 0.1:
            return envelope(zlib.compress(body), flags=1)
        return envelope(body, models=random.choice(self._parts)[0])

    def _any_protocol(self, random: Random) -> bytes:
        value = random.choice(
            (
                Reduces(eval, "1"),
                {Reduces(exec, ""): 1},
                [Reduces(__import__, "antigravity")],
                Reduces(getattr, "", "join"),
                *values(),
            )
        )
        return envelope(random.choice((pickle.dumps(value, random.randint(0, 5)), OS_SYSTEM)))

    def _lengths(self, random: Random) -> bytes:
        """Lengths that promise more than there is."""
        length, code = random.choice(
            (
                (8, b"\x8e"),
                (8, b"\x8d"),
                (8, b"\x96"),
                (8, b"\x95"),
                (4, b"\x8b"),
                (4, b"X"),
                (4, b"B"),
                (4, b"r"),
            )
        )
        number = random.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1, 100))
        promised = (number % 256**length).to_bytes(length, "little")
        return envelope(HEAD + code + promised + random.randbytes(random.randint(0, 99)) + b".")

    def _nested(self, random: Random) -> bytes:
        depth = random.choice((10, 1000, 3000))
        start, end = random.choice(
            ((b"]", b"a"), (b"}N", b"s"), (b"(", b"t"), (b")", b"\x85"), (b"(", b"\x91"), (b"]\x94", b"a"))
        )
        key = random.choice((b"", b"}"))
        body = HEAD + key + start * depth + end * (depth - 1) + (b"Ns." if key else b".")
        return envelope(body)

    def _memo(self, random: Random) -> bytes:
        """Values made of references to earlier ones, each twice as large, in something that hashes them or not."""
        seed = random.choice((b")\x85", b"]", b"}", b"\x8f", text("a")))
        veil = random.choice((b"", b"(1", b"N0", b"\x80\x05", b"(e", b"(u", b"(\x90", b"Nb", b"\x94h\x00"))
        body = bytearray(HEAD + random.choice((b"}", b"\x8f(", b"")) + seed + veil + b"\x94")
        for number in range(random.choice((3, 14, 40))):
            one = b"h" + bytes([max(0, number - random.choice((0, 0, 0, 1)))])
            body += one + one + random.choice((b"\x86", b"\x86", b"\x87")) + veil + b"\x94"
        body += random.choice((b"Ns.", b"\x90.", b"."))
        return envelope(bytes(body))

    def _revived(self, random: Random) -> bytes:
        arguments = b"".join(
            random.choice(
                (text(random.choice(TEXTS)), opcode(random), b"K\x05", b"N", b"]\x94(h\x00h\x00e", b"}")
            )
            for _ in range(random.randint(0, 3))
        )
        call = (
            REVIVE + b"(" + text(random.choice(PATHS)) + text(random.choice(TEXTS[2:4])) + arguments + b"tR"
        )
        state = random.choice(
            (b"", b"}b", b"}" + text("x") + b"Nsb", b"N}" + text("name") + b"Ns\x86b", b"]b")
        )
        return envelope(HEAD + call + state + b".", models=random.choice(self._parts)[0])

    def _framed(self, random: Random) -> bytes:
        """Frames that end where no opcode does, with a program in what looks like a text."""
        program = b"".join(opcode(random) for _ in range(random.randint(1, 8))) + b"."
        hidden = bytes(random.choice((0, 2, 2, 4))) + program
        promised = b"X" + len(hidden).to_bytes(4, "little")
        cut = random.randint(0, 6)
        return envelope(HEAD + b"\x95" + cut.to_bytes(8, "little") + promised + hidden + b".")

    def _edited_parts(self, random: Random) -> bytes:
        models, body = split(random.choice(self._in_parts))
        edited = bytearray(body)
        for _ in range(random.randint(1, 4)):
            place = random.randrange(len(edited) + 1)
            new = random.choice((random.randbytes(random.randint(0, 4)), opcode(random)))
            edited[place : place + random.choice((0, len(new), random.randint(0, 9)))] = new
        return envelope(bytes(edited), models=models, flags=PARTS)

    def _other_parts(self, random: Random) -> bytes:
        """Parts that fit, but for what was put in the place of some of them."""
        models, body = split(random.choice(self._in_parts))
        written, structure, columns, rest = pickle.loads(body)
        for _ in range(random.choice((1, 1, 2, 5))):
            if random.random() < 0.6:
                structure = pickle.dumps(replaced(pickle.loads(structure), random), 5)
            else:
                columns = replaced(columns, random)
        whole = (
            written,
            structure,
            columns,
            random.choice((rest, rest, rest, None, b"", pickle.dumps([[]]))),
        )
        if random.random() < 0.1:
            whole = replaced(whole, random)
        return envelope(pickle.dumps(whole, 5), models=models, flags=PARTS)

    def _bomb(self, random: Random) -> bytes:
        filler = random.choice(
            (b"\x8f", b"}", b"]", b")", b"N", b"(", b"\x94", b"\x00", b"K\x00", b"\x8f\x94")
        )
        body = HEAD + b"](" + filler * random.choice((2**20, 2**23, 2**26)) + b"e."
        return envelope(zlib.compress(body, 1), flags=1)


def replaced(value: Any, random: Random) -> Any:
    """Return nested tuples with something else somewhere in them, or with a part twice or missing."""
    if not isinstance(value, tuple | list) or not value or random.random() < 0.15:
        return random.choice(
            (
                *(
                    0,
                    1,
                    -1,
                    2,
                    3,
                    5,
                    2**31,
                    2**63,
                    10**30,
                    True,
                    None,
                    1.5,
                    "",
                    "p",
                    "r",
                    "pppp",
                    "id",
                    "_state",
                ),
                *(
                    "default",
                    "i",
                    "o",
                    "x",
                    "l",
                    "t",
                    "d",
                    b"",
                    b"x" * 10,
                    (),
                    [],
                    [0],
                    (0, 1),
                    (1, 10**9),
                    [[]],
                ),
                *(
                    {},
                    range(10**9),
                    Decimal("sNaN"),
                    UUID(int=1),
                    ("d", ("k",), (("x", 0),)),
                    ("l", (("r", 0),)),
                ),
            )
        )
    place = random.randrange(len(value))
    what = random.random()
    if what < 0.1:
        changed = [*value[:place], *value[place + 1 :]]
    elif what < 0.2:
        changed = [*value, value[place]] * random.choice((1, 1, 1, 200))
    else:
        changed = [*value[:place], replaced(value[place], random), *value[place + 1 :]]
    return changed if isinstance(value, list) else tuple(changed)


OPCODES: Final = [
    *[bytes([code]) for code in b"N\x88\x89(01]ae}su\x8f\x90\x91)t\x85\x86\x87\x94\x93Rb."],
    *[bytes([code]) for code in b"2oPQp\x81\x92\x97\x98FILSTUVgijqrcd\x82\x83\x84"],
]


def opcode(random: Random) -> bytes:  # noqa: PLR0911  one return a kind
    """Return one step of a program, or a few that belong together."""
    match random.randrange(10):
        case 0:
            return text(random.choice((*TEXTS, *PATHS)))
        case 1:
            return name(*random.choice(NAMES))
        case 2:
            return REVIVE
        case 3:
            return b"h" + bytes([random.randrange(12)])
        case 4:
            return random.choice(
                (b"K\x07", b"M\x01\x02", b"J\xff\xff\xff\xff", b"G" + bytes(8), b"\x8a\x02ab")
            )
        case 5:
            return b"\x95" + random.choice((bytes(8), random.randbytes(8)))
        case 6:
            return random.choice(
                (b"\x82\x01", b"\x83\x01\x00", b"cos\nsystem\n", b"ios\nsystem\n", b"Pid\n", b"I1\n")
            )
        case _:
            # Those that are allowed more often.
            return random.choice(OPCODES[:25] if random.random() < 0.9 else OPCODES)


def split(payload: bytes) -> tuple[bytes, bytes]:
    """Return the models and the body of a payload that is not compressed."""
    (length,) = struct.unpack_from(">I", payload, 24)
    return payload[28 : 28 + length], payload[28 + length :]
