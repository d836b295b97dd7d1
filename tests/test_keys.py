"""The keys of namespaces, entries, locks and hints."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from genscache.keys import LONGEST_KEY, SITE, KeySpace, Kind, Namespace, digest, quote, table_owner

KEYS = KeySpace("gc")
FINGERPRINT = digest(b"a question")
HOSTILE = [
    "a:rows",
    "a}",
    "{a}",
    "a=5",
    "a%3A",
    "a b",
    "a\x00",
    "a\n",
    "ü",
    "\ud800",
    "*",
    "~",
    "a/b",
    "x" * 500,
]


@pytest.mark.parametrize(
    ("namespace", "key"),
    [
        (SITE, "gc:1:{*}:site"),
        (Namespace(Kind.MODEL, "default.blog_post"), "gc:1:{default.blog_post}:model"),
        (Namespace(Kind.ROWS, "default.blog_post"), "gc:1:{default.blog_post}:rows"),
        (Namespace(Kind.OBJECT, "default.blog_post", "5"), "gc:1:{default.blog_post}:object=5"),
        (Namespace(Kind.OBJECT, "default.blog_post", ""), "gc:1:{default.blog_post}:object="),
        (Namespace(Kind.FUNCTION, "app.views.front_page"), "gc:1:{app.views.front_page}:function"),
        (Namespace(Kind.CALL, "app.views.front_page", "abc"), "gc:1:{app.views.front_page}:call=abc"),
        (Namespace(Kind.NAMED, "prices"), "gc:1:{prices}:named"),
    ],
)
def test_the_key_of_each_kind_of_namespace(namespace: Namespace, key: str) -> None:
    assert KEYS.counter(namespace) == key


def test_entry_lock_hint_and_clock() -> None:
    entry = KEYS.entry("app.views.front_page", FINGERPRINT, (1700, 1701, 1702))
    assert entry == f"gc:1:{{app.views.front_page}}:e:{FINGERPRINT}:g=1700.1701.1702"
    assert KEYS.lock(entry) == f"gc:1:{{app.views.front_page}}:l:{FINGERPRINT}:g=1700.1701.1702"
    assert KEYS.hint("app.views.front_page", "abc") == "gc:1:{app.views.front_page}:h:abc"
    assert KEYS.clock == "gc:1:clock"


def test_a_vector_too_long_to_spell_out_becomes_a_digest_that_tells_vectors_apart() -> None:
    vector = tuple(range(1_700_000_000_000_000, 1_700_000_000_000_012))
    other = (*vector[:-1], vector[-1] + 1)
    key = KEYS.entry("app.views.front_page", FINGERPRINT, vector)
    assert key.startswith(f"{KEYS.beginning('app.views.front_page', FINGERPRINT)}:g=~")
    assert len(key) <= 200
    assert key != KEYS.entry("app.views.front_page", FINGERPRINT, other)
    assert key != KEYS.entry("app.views.front_page", f"{FINGERPRINT}x", vector)
    assert key == KEYS.entry("app.views.front_page", FINGERPRINT, list(vector))


def test_two_generations_are_spelled_out_and_three_are_not() -> None:
    beginning = KEYS.beginning("o", FINGERPRINT)
    assert beginning == f"gc:1:{{o}}:e:{FINGERPRINT[:6]}"
    one, two, three = (1_795_376_063_189_218 + number for number in range(3))
    assert KEYS.entry("o", FINGERPRINT, (one, two)) == f"gc:1:{{o}}:e:{FINGERPRINT}:g={one}.{two}"
    rest = KEYS.entry("o", FINGERPRINT, (one, two, three)).removeprefix(beginning)
    assert re.fullmatch(r":g=~[A-Za-z0-9_-]{27}", rest)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_reaches_the_key_of_another(name: str) -> None:
    keys = {KEYS.counter(Namespace(Kind.NAMED, other)) for other in [*HOSTILE, "a", "a%253A", ""]}
    assert len(keys) == len(HOSTILE) + 3
    key = KEYS.counter(Namespace(Kind.OBJECT, name, name))
    assert key.isascii()
    assert key.count("{") == key.count("}") == key.count("=") == 1
    assert key.count(":") == 3
    assert " " not in key


def test_a_long_name_keeps_its_beginning_and_whole_escapes() -> None:
    assert quote("blog_" + "x" * 200).startswith("blog_xxx")
    assert len(quote("x" * 200)) == 80
    assert quote("x" * 200) != quote("x" * 201)
    # 47 bytes are kept: the sixteenth escape would be cut after two of its three.
    assert quote(":" * 200).startswith("%3A" * 15 + "~")
    assert quote("x" * 80) == "x" * 80


def test_the_longest_key() -> None:
    keys = KeySpace("p" * 32)
    worst = "ü" * 200
    made = [
        keys.entry(worst, worst, range(10**15, 10**15 + 100)),
        keys.lock(keys.entry(worst, worst, (10**15,) * 9)),
        keys.hint(worst, worst),
        *(keys.counter(Namespace(kind, worst, worst)) for kind in Kind),
    ]
    assert max(map(len, made)) <= LONGEST_KEY


def test_the_owner_of_a_table_says_where_the_alias_ends() -> None:
    assert table_owner("default", "blog_post") == "default.blog_post"
    assert table_owner("a.b", "c") != table_owner("a", "b.c")
    assert table_owner("a%2Eb", "c") != table_owner("a.b", "c")


def test_a_lock_is_refused_for_a_key_that_is_no_entry() -> None:
    with pytest.raises(ValueError, match=r"got 'gc:1:clock'\. Pass what entry\(\) returned"):
        KEYS.lock("gc:1:clock")


@pytest.mark.parametrize("prefix", ["", "a:b", "{a}", "a b", "ü", "a\n", "x" * 33])
def test_a_prefix_with_which_keys_could_collide_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="1 to 32 characters") as caught:
        KeySpace(prefix)
    assert repr(prefix) in str(caught.value)


def test_namespaces_have_one_order() -> None:
    namespaces = [
        SITE,
        *(Namespace(kind, owner, detail) for kind in Kind for owner in "ba" for detail in ("", "1")),
    ]
    backwards = list(reversed(namespaces))
    assert sorted(namespaces) == sorted(backwards)
    assert len({hash(each) for each in set(namespaces)}) > len(Kind)


def test_a_digest_is_the_same_in_every_process() -> None:
    assert digest(b"") == "gncvesv7no7bqckesisllfzmif4qw3hs"
    code = "from genscache.keys import digest; print(digest(b'abc'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(b"abc")
