"""Two releases side by side, and entries that nobody can read: misses, logged and counted, never errors."""

# ruff: noqa: ARG005 - a stub takes what its callers give
# ruff: noqa: PLW0108 - a lambda has a name of this module's own; the bound method that it calls has not

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import models
from redis import Redis

from genscache import cached, envelope, stats
from genscache.engine import Engine
from genscache.namespaces import Catalog
from tests.reads.conftest import Make, Use, counted, survived
from tests.site.news.models import Section


def release(code: str) -> Callable[[], object]:
    """Return ``page`` as one release has it: the same name in the same module, other code."""
    space: dict[str, Any] = {"__name__": __name__, "cached": cached}
    exec(f"@cached('prices')\ndef page(number=1):\n    {code}", space)  # noqa: S102 - our own text
    found: Callable[[], object] = space["page"]
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 'old'", "return 'new'"),
        ("return number + 1", "return number - 1"),
        ("return [n for n in (1, 2)]", "return [n for n in (1, 2, 3)]"),
        ("return max(number, 2)", "return min(number, 2)"),
        ("return number in {1, 2}", "return number in {2, 3}"),
        ("return ...", "return None"),
    ],
)
def test_changed_code_asks_for_new_entries(engine: Engine, old: str, new: str) -> None:
    before, after = release(old), release(new)

    for _ in range(2):
        assert before() == eval(old.removeprefix("return "), {"number": 1})  # noqa: S307 - our own text
        assert after() == eval(new.removeprefix("return "), {"number": 1})  # noqa: S307
    assert (stats()["miss"], stats()["hit"]) == (2, 2)


def test_the_same_code_shares_its_entries(engine: Engine) -> None:
    release("return number + 1")(), release("return number + 1")()

    assert stats()["hit"] == 1


def test_both_releases_are_invalidated_at_once(engine: Engine) -> None:
    before, after = release("return 'old'"), release("return 'new'")
    before(), after()

    before.invalidate_all()  # type: ignore[attr-defined]
    before(), after()

    assert stats()["miss"] == 4


@pytest.mark.django_db(transaction=True)
def test_a_changed_model_is_a_miss(
    use: Use, valkey_url: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(STORE=valkey_url)
    Section.objects.create(name="World")
    sections = make(lambda: list(Section.objects.all()))
    assert [each.name for each in sections()] == ["World"]

    original = Catalog.describe

    def describe(self: Catalog, kind: type) -> str | None:
        found = original(self, kind)
        return f"{found}, and a new field" if issubclass(kind, models.Model) and found else found

    monkeypatch.setattr(Catalog, "describe", describe)
    use(STORE=valkey_url)

    assert [each.name for each in sections()] == ["World"]
    assert [each.name for each in sections()] == ["World"]
    assert sections.count == 2
    assert survived(stats(), "unreadable entry") == 1


def test_the_digest_of_a_model_follows_its_fields(engine: Engine) -> None:
    def describe(**fields: models.Field[Any, Any]) -> str | None:
        meta = type("Meta", (), {"app_label": "releases"})
        members = {"__module__": __name__, "Meta": meta, "__str__": lambda self: "", **fields}
        with pytest.warns(RuntimeWarning, match="was already registered") if seen else _nothing():
            kind = type("Thing", (models.Model,), members)
        seen.append(1)
        return Catalog(engine.settings).describe(kind)

    seen: list[int] = []
    text = models.TextField

    digests = [
        describe(a=text()),
        describe(a=text(null=True)),
        describe(b=text()),
        describe(a=text(), b=text()),
    ]
    assert len(set(digests)) == 4
    assert describe(a=text()) == digests[0]


def _nothing() -> Any:
    from contextlib import nullcontext  # noqa: PLC0415

    return nullcontext()


def overwrite(raw: Redis, engine: Engine, part: str, change: Callable[[bytes], bytes]) -> str:
    """Change the bytes of this test's entry (``:e:``) or hint (``:h:``)."""
    (key,) = raw.scan_iter(match=f"{engine.settings.prefix}*{part}*")
    data = raw.get(key)
    assert isinstance(data, bytes)
    raw.set(key, change(data), px=60_000)
    return str(key.decode())


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"junk",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: b"\x80\x04K\x07.",
        lambda data: bytes(range(256)) * 40,
    ],
    ids=["empty", "junk", "cut", "half", "last bit", "first bit", "bare pickle", "long"],
)
def test_an_unreadable_entry_is_a_miss_and_overwritten(
    on_valkey: Engine,
    raw: Redis,
    make: Make,
    change: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = make(lambda: {"answer": 42}, "prices")
    one()
    key = overwrite(raw, on_valkey, ":e:", change)
    caplog.set_level(logging.WARNING, "genscache")

    assert one() == one() == {"answer": 42}

    assert one.count == 2
    assert survived(stats(), "unreadable entry") == 1
    assert "unreadable entry" in caplog.text
    assert key in caplog.text


def test_an_entry_moved_to_another_key_is_not_believed(on_valkey: Engine, raw: Redis) -> None:
    """Whoever can write to the store cannot give one call the answer of another."""
    double = counted(lambda n: n * 2, "prices")
    double(1)
    (one,) = raw.scan_iter(match=f"{on_valkey.settings.prefix}*:e:*")
    double(2)
    (two,) = set(raw.scan_iter(match=f"{on_valkey.settings.prefix}*:e:*")) - {one}
    raw.copy(one, two, replace=True)

    assert double(2) == 4
    assert survived(stats(), "unreadable entry") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("junk", [b"", b"junk", b"\x80\x04K\x07."])
def test_an_unreadable_hint_costs_a_computation(
    on_valkey: Engine, raw: Redis, make: Make, junk: bytes
) -> None:
    count = make(lambda: Section.objects.count())
    count()
    overwrite(raw, on_valkey, ":h:", lambda data: junk)
    on_valkey.forget()

    assert count() == count() == 0
    assert count.count <= 2
    Section.objects.create(name="a")
    assert count() == 1


def test_another_envelope_is_a_miss_in_both_directions(
    use: Use, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = counted(lambda: 42, "prices")
    use(STORE=valkey_url)
    assert one() == 42

    monkeypatch.setattr(envelope, "MAGIC", b"gc2")
    use(STORE=valkey_url)
    assert one() == one() == 42
    assert one.count == 2

    monkeypatch.undo()
    use(STORE=valkey_url)
    assert one() == one() == 42
    assert one.count == 3
