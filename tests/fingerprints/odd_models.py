"""Models that the news has none of: composite keys, generic relations, JSON, arrays, ranges, orders, fields of users.

Not for the test process: models that it defines stay there. ``check()`` is for one of its own, with ``odd_settings``.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.fields import ArrayField, IntegerRangeField
from django.contrib.postgres.lookups import TrigramSimilar
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db import connection, models
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Count, F, OuterRef, Subquery, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Lower

from genscache.fingerprints import compiled_in_place, structure_of
from genscache.tables import definition


class Odd(models.Model):
    """What they have in common."""

    class Meta:
        abstract = True
        app_label = "contenttypes"  # an installed one


class Seat(Odd):  # noqa: DJ008 - nobody looks at it
    pk = models.CompositePrimaryKey("row", "number")
    row = models.IntegerField()
    number = models.IntegerField()


class Ticket(Odd):  # noqa: DJ008 - nobody looks at it
    row = models.IntegerField()
    number = models.IntegerField()
    seat = models.ForeignObject(
        Seat, models.CASCADE, from_fields=("row", "number"), to_fields=("row", "number")
    )
    name = models.CharField(max_length=9)


class Note(Odd):  # noqa: DJ008 - nobody looks at it
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.IntegerField()
    subject = GenericForeignKey()
    text = models.CharField(max_length=9)


class Upper(models.CharField):  # type: ignore[type-arg]
    """A field of a user, with values that only it understands."""

    def get_prep_value(self, value: Any) -> Any:
        """Leave the value as it is."""
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: Any = None) -> Any:
        """Return upper case."""
        return str(value).upper()


class Thing(Odd):  # noqa: DJ008 - nobody looks at it
    notes = GenericRelation(Note)
    data = models.JSONField(default=dict)
    names = ArrayField(models.CharField(max_length=9), default=list)
    rows = ArrayField(ArrayField(models.IntegerField()), default=list)
    span = IntegerRangeField(null=True)
    name = Upper(max_length=9)

    class Meta(Odd.Meta):
        ordering = (Lower("name").desc(), "pk")


class Part(Odd):  # noqa: DJ008 - nobody looks at it
    thing = models.ForeignKey(Thing, models.CASCADE)

    class Meta(Odd.Meta):
        ordering = ("thing",)


class Opaque:
    """A value with a meaning to nobody but its field."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def describe(kind: type) -> str | None:
    """Describe a model as a catalogue does."""
    return definition(kind) if issubclass(kind, models.Model) else None


def content(rows: Any) -> bytes:
    """Return the content of a queryset's fingerprint."""
    return structure_of(rows.query, "default", describe).content


QUERIES: dict[str, Callable[[], Any]] = {
    "composite key": lambda: Seat.objects.filter(pk=(1, 2)),
    "composite key, other": lambda: Seat.objects.filter(pk=(2, 1)),
    "composite key in": lambda: Seat.objects.filter(pk__in=[(1, 2), (2, 1)]),
    "composite key in one": lambda: Seat.objects.filter(pk__in=[(1, 2)]),
    "composite key in a subquery": lambda: Seat.objects.filter(pk__in=Seat.objects.filter(row=1)),
    "composite key above": lambda: Seat.objects.filter(pk__gt=(1, 2)),
    "composite key is null": lambda: Seat.objects.filter(pk__isnull=True),
    "order by a composite key": lambda: Seat.objects.order_by("-pk"),
    "values of a composite key": lambda: Seat.objects.values("pk"),
    "count of composite keys": lambda: Seat.objects.annotate(n=Count("ticket")),
    "to a composite key": lambda: Ticket.objects.filter(seat=Seat(row=1, number=2)),
    "to another composite key": lambda: Ticket.objects.filter(seat=Seat(row=2, number=1)),
    "to a composite key in": lambda: Ticket.objects.filter(seat__in=[Seat(row=1, number=2)]),
    "over a composite key": lambda: Seat.objects.filter(ticket__name="x"),
    "related by a composite key": lambda: Ticket.objects.select_related("seat"),
    "generic": lambda: Thing.objects.filter(notes__text="x"),
    "generic, other": lambda: Thing.objects.filter(notes__text="y"),
    "generic, counted": lambda: Thing.objects.annotate(n=Count("notes")),
    "key": lambda: Thing.objects.filter(data__a=1),
    "key as text": lambda: Thing.objects.filter(data__a="1"),
    "key that is null": lambda: Thing.objects.filter(data__a=None),
    "key that is missing": lambda: Thing.objects.filter(data__a__isnull=True),
    "other key": lambda: Thing.objects.filter(data__b=1),
    "deep key": lambda: Thing.objects.filter(data__a__b=1),
    "key by number": lambda: Thing.objects.filter(data__0=1),
    "key contains": lambda: Thing.objects.filter(data__a__icontains="x"),
    "key in": lambda: Thing.objects.filter(data__a__in=[1, 2]),
    "has key": lambda: Thing.objects.filter(data__has_key="a"),
    "has keys": lambda: Thing.objects.filter(data__has_keys=["a", "b"]),
    "has keys, deep": lambda: Thing.objects.filter(data__a__has_key="b"),
    "whole": lambda: Thing.objects.filter(data={"a": 1}),
    "whole in another order": lambda: Thing.objects.filter(data={"a": 1, "b": 2}),
    "key as a value": lambda: Thing.objects.annotate(x=KT("data__a")),
    "keys as values": lambda: Thing.objects.values("data__a"),
    "things": Thing.objects.all,
    "things without order": Thing.objects.order_by,
    "parts": Part.objects.all,
    "parts by key": lambda: Part.objects.order_by("thing_id"),
    "field of a user": lambda: Thing.objects.filter(name="x"),
    "values of a user": lambda: Thing.objects.filter(name=Opaque("x")),
    "other values of a user": lambda: Thing.objects.filter(name=Opaque("y")),
    "subquery of a JSON": lambda: Part.objects.annotate(
        x=Subquery(Thing.objects.filter(pk=OuterRef("thing")).values("data__a")[:1])
    ),
}

POSTGRESQL: dict[str, Callable[[], Any]] = {
    "array": lambda: Thing.objects.filter(names=["a"]),
    "array, longer": lambda: Thing.objects.filter(names=["a", "b"]),
    "array in another order": lambda: Thing.objects.filter(names=["b", "a"]),
    "array contains": lambda: Thing.objects.filter(names__contains=["a"]),
    "array overlaps": lambda: Thing.objects.filter(names__overlap=["a"]),
    "array in": lambda: Thing.objects.filter(names__in=[["a"], ["b"]]),
    "array's length": lambda: Thing.objects.filter(names__len=1),
    "array's first": lambda: Thing.objects.filter(names__0="a"),
    "array's second": lambda: Thing.objects.filter(names__1="a"),
    "array's slice": lambda: Thing.objects.filter(names__0_2=["a"]),
    "array of arrays": lambda: Thing.objects.filter(rows__0=[1]),
    "array of arrays, element": lambda: Thing.objects.filter(rows__0__0=1),
    "range": lambda: Thing.objects.filter(span=NumericRange(1, 2)),
    "range, closed": lambda: Thing.objects.filter(span=NumericRange(1, 2, "[]")),
    "range contains": lambda: Thing.objects.filter(span__contains=1),
    "range contains a range": lambda: Thing.objects.filter(span__contains=NumericRange(1, 2)),
    "range's start": lambda: Thing.objects.filter(span__startswith=1),
    "search": lambda: Thing.objects.annotate(v=SearchVector("name")).filter(v=SearchQuery("x")),
    "search otherwise": lambda: Thing.objects.annotate(v=SearchVector("name")).filter(v=SearchQuery("y")),
    "search in German": lambda: Thing.objects.annotate(v=SearchVector("name", config="german")).filter(v="x"),
    "rank": lambda: Thing.objects.annotate(r=SearchRank(SearchVector("name"), SearchQuery("x"))),
    "weighted": lambda: Thing.objects.annotate(v=SearchVector("name", weight="A")),
    "both": lambda: Thing.objects.annotate(v=SearchVector("name") + SearchVector("data")),
    "trigram": lambda: Thing.objects.filter(name__trigram_similar="x"),
    "element type": lambda: Thing.objects.annotate(
        x=Value([1], output_field=ArrayField(models.IntegerField()))
    ),
    "other element type": lambda: Thing.objects.annotate(
        x=Value([1], output_field=ArrayField(models.BigIntegerField()))
    ),
}


def check() -> None:
    """Check that each query has a fingerprint of its own, which neither executing nor copying changes."""
    models.CharField.register_lookup(TrigramSimilar)
    with connection.schema_editor() as editor:
        editor.create_model(ContentType)
    ContentType.objects.get_for_model(Thing)
    found: dict[bytes, str] = {}
    for name, build in (*QUERIES.items(), *POSTGRESQL.items()):
        rows = build()
        fresh = content(rows)
        other = found.setdefault(fresh, name)
        assert other == name, (other, name)
        assert content(build()) == fresh, name
        assert content(copy.deepcopy(rows)) == fresh, name
        if name in QUERIES:
            # Not those of PostgreSQL: Django unpickles the type of an array's elements as the array's.
            query = pickle.loads(pickle.dumps(build().query))
            assert structure_of(query, "default", describe).content == fresh, name
            compiled_in_place(rows.query, "default")
            assert content(rows) == fresh, name
    assert content(Seat.objects.filter(pk__in=[(2, 1), (1, 2)])) == content(QUERIES["composite key in"]())
    assert content(Ticket.objects.filter(seat=Seat(row=1, number=2))) == content(
        QUERIES["to a composite key"]()
    )
    assert structure_of(Part.objects.filter(thing__notes__text=F("pk")).query, "default", describe).tables >= {
        "contenttypes_part", "contenttypes_thing", "contenttypes_note",
    }  # fmt: skip
