"""The fingerprint of a query: what it asks, without asking Django to compile it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from django.db.models.sql import Query

from genscache.fingerprints.literals import written
from genscache.fingerprints.memory import Memory
from genscache.fingerprints.sql import compiled
from genscache.fingerprints.walk import UncacheableQuery, Walk
from genscache.scalars import NoCanonicalForm, text_block

_memory = lru_cache(8)(Memory)


class Structure(NamedTuple):
    """What a query asks.

    Attributes:
        content: Equal for two queries only if they have the same SQL and parameters (up to the numbers in the aliases
            of joins that only compiling adds, and the order of the values of an IN), and their rows are converted
            alike.
        shape: Equal for two queries only if they differ in nothing but values, and none of those makes Django leave
            a condition out: their SQL reads the same tables.
        tables: Folded names of the tables of every query inside, at any depth. Joins that only compiling adds are not
            among them.
        volatile: Why the result must not be kept, or empty.
        zoned: The result depends on the current time zone.
        raw: Users wrote parts of the SQL: as text, or by classes that are not Django's.
        out: What the shape is a digest of.
        values: The canonical bytes of its values, in the order in which they are met.
    """

    content: bytes
    shape: bytes
    tables: frozenset[str]
    volatile: str
    zoned: bool
    raw: bool
    out: bytes
    values: tuple[bytes, ...]

    def with_value(self, old: bytes, new: bytes) -> Structure:
        """Return what the query would have with another value, of the same sketch.

        Args:
            old: The value's canonical bytes, which are among ``values`` once.
            new: Those of the other one.
        """
        values = tuple(new if each == old else each for each in self.values)
        return self._replace(content=_content(self.out, values), values=values)


def structure_of(query: Query, using: str, describe: Callable[[type], str | None]) -> Structure:
    """Return the fingerprint of a query, the same in every process.

    Args:
        query: The query; it is left as it is, but for what Django's cached properties keep.
        using: The alias of the database on which it will run, for parts that must be compiled.
        describe: Returns a digest of a model's definition; give the same function each time.

    Raises:
        UncacheableQuery: It cannot be told from others, or it is about a model that is not installed.
    """
    walk = Walk(_memory(describe))
    try:
        walk.visit(query)
    except RecursionError:
        raise UncacheableQuery("The query is nested too deeply, or contains itself.") from None
    if walk.raw:
        # Text may name any alias.
        for each in walk.queries:
            walk.visit(
                [(alias, join.table_name) for alias, join in each.alias_map.items() if join.parent_alias]
            )
    if walk.opaque:
        walk.zoned = True
        _write_sql(walk, query, using)
    out, values = b"".join(walk.out), tuple(walk.values)
    return Structure(
        _content(out, values),
        blake2b(out, digest_size=20).digest(),
        frozenset(walk.tables),
        walk.volatile,
        walk.zoned,
        walk.raw,
        out,
        values,
    )


def _content(out: bytes, values: tuple[bytes, ...]) -> bytes:
    return blake2b(b"%d:%b%b" % (len(out), out, b"".join(values)), digest_size=32).digest()


def _write_sql(walk: Walk, query: Query, using: str) -> None:
    """Write what Django makes of a query of which the structure does not say all."""
    found = compiled(query, using)
    if found is None:
        walk.out.append(b"0")
        return
    sql, parameters = found
    walk.out.append(text_block(b"1", sql))
    for index, parameter in enumerate(parameters):
        try:
            walk.values.append(written(parameter)[1])
        except NoCanonicalForm as error:
            raise UncacheableQuery(
                f"The query's parameter {index}{error.path} {error.reason}, so it cannot be told from others."
            ) from None
