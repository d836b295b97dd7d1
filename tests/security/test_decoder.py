"""Unsigned payloads that once took all the memory, or all the time, and a short run of the fuzzer."""

from __future__ import annotations

import copyreg
import io
import pickle
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genscache.codec import Codec, Reason, Unreadable
from genscache.exceptions import UncacheableValue
from genscache.opcodes import MOST_MEMORY, ForbiddenOpcode, check_opcodes
from tests.fixtures import ROOT
from tests.security.attacks import HEAD, KEY, REVIVE, envelope, text

UNSIGNED = Codec(signed=False)
TOO_LARGE = Unreadable(Reason.TOO_LARGE)

# What leaves an earlier tuple on top of the stack, so that it looks like the result of the last opcode.
VEILS = [b"", b"(1", b"N0", b"\x80\x05", b"\x95" + bytes(8), b"(e", b"(u", b"(\x90", b"Nb", b"\x94h\x00"]


@pytest.mark.parametrize("veil", VEILS, ids=repr)
def test_a_tuple_that_takes_for_ever_to_hash_is_known_behind_every_veil(veil: bytes) -> None:
    step = 2 if veil.startswith(b"\x94") else 1
    body = HEAD + b"})\x85" + veil + b"\x94"
    for number in range(40):
        reference = b"h" + bytes([number * step])
        body += reference + reference + b"\x86" + veil + b"\x94"
    assert UNSIGNED.decode(envelope(body + b"Ns."), key=KEY) == TOO_LARGE


@pytest.mark.parametrize("made", [b"\x8f", b"}", b"\x8f\x94"], ids=repr)
def test_a_few_kilobytes_that_ask_for_gigabytes(made: bytes) -> None:
    bomb = envelope(zlib.compress(HEAD + b"](" + made * 2**22 + b"e."), flags=1)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        assert UNSIGNED.decode(bomb, key=KEY) == TOO_LARGE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY


def test_sets_within_the_bound_are_read() -> None:
    value: list[object] = [set() for _ in range(100_000)]
    assert UNSIGNED.decode(UNSIGNED.encode(value, key=KEY), key=KEY) == value


def test_what_no_reader_would_take_is_not_stored() -> None:
    with pytest.raises(UncacheableValue, match="more than 256 MiB"):
        UNSIGNED.encode([set() for _ in range(800_000)], key=KEY)


def test_arguments_that_are_refused_are_not_printed() -> None:
    """A list that holds itself twice, sixty times over, has a repr of 2**60 characters."""
    nested = b"]\x94(NNe" + b"".join(b"]\x94(" + 2 * (b"h" + bytes([n])) + b"e" for n in range(60))
    body = HEAD + REVIVE + b"(" + text("fractions:Fraction") + text("call") + nested + b"tR."
    assert UNSIGNED.decode(envelope(body), key=KEY) == Unreadable(Reason.FORBIDDEN)


def called(what: str) -> str:
    """Be what no pickle may call."""
    raise AssertionError(f"{what} was called")


def test_a_frame_that_ends_within_an_opcode_hides_no_other_opcodes() -> None:
    """Python forgets the rest of such a frame: it takes for opcodes what was checked as the text of another one."""
    copyreg.add_extension(__name__, "called", 0x76)
    try:
        with pytest.raises(AssertionError, match="was called"):
            pickle.loads(b"\x80\x02\x82\x76U\x01x\x85R.")
        # From now on Python remembers what the code stands for, and asks no find_class().
        hidden = b"\x00\x00\x82\x76" + text("it") + b"\x85R."
        half_a_length = b"X" + len(hidden).to_bytes(2, "little")
        body = HEAD + b"\x95" + (3).to_bytes(8, "little") + half_a_length + bytes(2) + hidden + b"."
        with pytest.raises(AssertionError, match="it was called"):
            pickle.Unpickler(io.BytesIO(body)).load()
        with pytest.raises(ForbiddenOpcode, match="a frame ends within"):
            check_opcodes(body)
        assert UNSIGNED.decode(envelope(body), key=KEY) == Unreadable(Reason.FORBIDDEN)
    finally:
        copyreg.remove_extension(__name__, "called", 0x76)


@pytest.mark.parametrize("inner", [1, 5, 20])
def test_a_frame_in_a_frame_is_refused(inner: int) -> None:
    frames = b"".join(b"\x95" + size.to_bytes(8, "little") for size in (15, inner))
    assert UNSIGNED.decode(envelope(HEAD + frames + b"N" * 20 + b"."), key=KEY) == Unreadable(
        Reason.FORBIDDEN
    )


@pytest.mark.parametrize("size", [10, 60_000, 70_000, 200_000])
def test_what_python_frames_itself_is_read(size: int) -> None:
    value = {"a": [b"b" * size, "c" * size, (1, bytearray(size))] * 3, "d": ["e"] * size}
    assert UNSIGNED.decode(UNSIGNED.encode(value, key=KEY), key=KEY) == value


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [bytes([code]) for code in b"N\x88(01]ae}su\x8f\x90\x91)t\x85\x86\x87\x94\x93Rb2oPQ\x81\x92"]
            + [
                text("fractions:Fraction"),
                text("call"),
                text("new"),
                text("decimal"),
                text("Decimal"),
                REVIVE,
            ]
            + [b"h\x00", b"h\x01", b"K\x01", b"cos\nsystem\n", b"\x82\x01"]
        ),
        max_size=30,
    ).map(b"".join)
)
def test_no_program_raises(program: bytes) -> None:
    UNSIGNED.decode(envelope(HEAD + program + b"."), key=KEY)


@pytest.mark.parametrize("seed", [1])
def test_a_short_run_of_the_fuzzer(seed: int) -> None:
    """In a process of its own: an audit hook cannot be taken away."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.fuzz", "--examples", "10000", "--seed", str(seed)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10000 payloads, 0 violations" in done.stdout
