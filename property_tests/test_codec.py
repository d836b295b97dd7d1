"""Whatever was stored is read back, and nothing else is."""

from __future__ import annotations

import pickle
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genscache.codec import Codec, Reason, Unreadable

KEY = "gc:1:{app.front_page}:e:abc:g=1.2"
SIGNED = Codec(keys=(b"s" * 32,))
UNSIGNED = Codec(signed=False)
PACKED = Codec(keys=(b"s" * 32,), compress_above=0)
CODECS = pytest.mark.parametrize("codec", [SIGNED, UNSIGNED, PACKED], ids=["signed", "unsigned", "packed"])

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.dates(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.ip_addresses(),
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=5),
        st.sets(HASHABLE, max_size=5),
        st.frozensets(HASHABLE, max_size=5),
    ),
    max_leaves=20,
)
KEYS = st.text(max_size=40)


@CODECS
@given(value=VALUES, key=KEYS)
def test_what_was_stored_is_read_back(codec: Codec, value: object, key: str) -> None:
    again = codec.decode(codec.encode(value, key=key), key=key)
    assert again == value
    assert type(again) is type(value)


@CODECS
@given(value=VALUES, data=st.data())
def test_one_flipped_bit_is_enough(codec: Codec, value: object, data: st.DataObject) -> None:
    payload = bytearray(codec.encode(value, key=KEY))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert isinstance(codec.decode(bytes(payload), key=KEY), Unreadable)


@CODECS
@given(value=VALUES, data=st.data())
def test_neither_less_nor_more_will_do(codec: Codec, value: object, data: st.DataObject) -> None:
    payload = codec.encode(value, key=KEY)
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    assert isinstance(codec.decode(cut, key=KEY), Unreadable)
    assert isinstance(codec.decode(payload + data.draw(st.binary(min_size=1)), key=KEY), Unreadable)


@CODECS
@given(value=VALUES, one=KEYS, other=KEYS)
@example(value=None, one="", other="\x00")
def test_an_entry_is_read_under_its_own_key_only(codec: Codec, value: object, one: str, other: str) -> None:
    read = codec.decode(codec.encode(value, key=one), key=other)
    assert (read == Unreadable(Reason.SIGNATURE)) == (one != other)


@given(VALUES, st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=64))
def test_only_who_has_the_secret_can_sign(value: object, one: bytes, other: bytes) -> None:
    writer, reader = Codec(keys=(one,)), Codec(keys=(other,))
    both = Codec(keys=(other, one))
    payload = writer.encode(value, key=KEY)
    assert both.decode(payload, key=KEY) == value
    # BLAKE2b pads its key with zeros.
    same = one.ljust(64, b"\0") == other.ljust(64, b"\0") and len(one) == len(other)
    assert (reader.decode(payload, key=KEY) == Unreadable(Reason.SIGNATURE)) == (not same)


@CODECS
@given(data=st.binary() | st.binary().map(lambda rest: b"gc1" + rest))
def test_any_bytes_are_unreadable(codec: Codec, data: bytes) -> None:
    assert isinstance(codec.decode(data, key=KEY), Unreadable)


@given(body=st.binary(), models=st.binary(max_size=20), packed=st.booleans())
def test_no_body_and_no_list_of_models_raises_even_with_a_valid_checksum(
    *, body: bytes, models: bytes, packed: bool
) -> None:
    payload = forged(body, models=models, packed=packed)
    result = UNSIGNED.decode(payload, key=KEY)
    assert result != Unreadable(Reason.SIGNATURE)


@given(
    value=VALUES,
    edits=st.lists(
        st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4
    ),
)
def test_an_edited_pickle_with_a_valid_checksum_makes_plain_values_only(
    value: object, edits: list[tuple[int, bytes]]
) -> None:
    body = bytearray(UNSIGNED.encode(value, key=KEY)[28:])
    for place, replacement in edits:
        start = place % len(body)
        body[start : start + len(replacement)] = replacement
    result = UNSIGNED.decode(forged(bytes(body)), key=KEY)
    if not isinstance(result, Unreadable):
        pickle.dumps(type(result))
        assert type(result).__module__.partition(".")[0] in SAFE_MODULES


SAFE_MODULES = {
    *(
        "builtins",
        "datetime",
        "decimal",
        "fractions",
        "uuid",
        "ipaddress",
        "zoneinfo",
        "collections",
        "pathlib",
    ),
    "genscache",  # the reviver itself, which does no more here than inside
}


def forged(body: bytes, *, models: bytes = b"", packed: bool = False) -> bytes:
    """Return a payload with a valid checksum, as anybody can make who reads this file."""
    from hashlib import blake2b  # noqa: PLC0415 - only what an attacker needs

    if packed:
        body = zlib.compress(body)
    head = b"gc1" + bytes([packed]) + blake2b(b"pickle", digest_size=4, person=b"genscache1").digest()
    length = len(models).to_bytes(4, "big")
    signed = head + length + len(KEY).to_bytes(4, "big") + KEY.encode() + models + body
    return head + blake2b(signed, digest_size=16, person=b"genscache1").digest() + length + models + body


@CODECS
@given(value=VALUES, key=KEYS)
def test_what_was_parsed_is_built_any_number_of_times(codec: Codec, value: object, key: str) -> None:
    parsed = codec.parse(codec.encode(value, key=key), key=key)
    assert not isinstance(parsed, Unreadable)
    one, other = parsed.build(), parsed.build()
    assert one == other == value
    assert type(one) is type(value)
