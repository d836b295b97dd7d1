"""What one SQL text does, as a value: kinds, relations and the flags that guards ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from genscache.orm.shapes import RowShape


class StatementKind(Enum):
    """What running a text can do to tables and to the transaction."""

    READ = "read"
    WRITE = "write"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"
    HARMLESS = "harmless"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view as a statement names it.

    Attributes:
        name: The last part, without quotes; lower case where it was not quoted.
        schema: The part before it, treated alike, or ``None``.
    """

    name: str
    schema: str | None = None

    @property
    def folded(self) -> str:
        """The name to compare by: databases disagree about case, so two names that differ in it may be one table."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Statement:
    """What one SQL text does, read so that every doubt errs towards "writes more" and "cannot be cached".

    Attributes:
        kind: UNKNOWN where the text may write tables that it does not name (procedures, dynamic SQL, unknown verbs,
            transaction control mixed with anything else, text that cannot be lexed). HARMLESS changes no table.
        reads: Relations that it takes rows from; names of its own WITH clauses are not among them.
        writes: Relations whose rows or definition it changes; never empty for WRITE, a lower bound for UNKNOWN.
        functions: Names of functions called, in lower case; a qualified call is there with and without its schema.
        procedures: Names of procedures called by CALL, in the same form.
        locking: It takes row locks (FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE).
        ddl: It may commit the open transaction without being asked (MySQL, MariaDB and Oracle do so for DDL).
        isolation: It may set or change an isolation level or a snapshot.
        search_path: It may change which schema or database an unqualified name means, or which rows a session sees.
        local: What ``search_path`` says ends with the transaction.
        complete: ``reads`` is all that it reads. If false, a result that depends on it must not be stored.
        shape: Which rows it writes, where it is exactly what Django's ORM emits for rows known by primary key.
        plain: It reads, and changes nothing that outlives it, unless a function that it calls does: outside
            transactions, and where nobody records what is read, there is nothing else to be done about it.
    """

    kind: StatementKind
    reads: frozenset[Relation] = frozenset()
    writes: frozenset[Relation] = frozenset()
    functions: frozenset[str] = frozenset()
    procedures: frozenset[str] = frozenset()
    locking: bool = False
    ddl: bool = False
    isolation: bool = False
    search_path: bool = False
    local: bool = False
    complete: bool = True
    shape: RowShape | None = None
    plain: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Work out ``plain`` once for the text, and not for each time that it runs."""
        more = self.isolation or self.search_path or self.ddl
        object.__setattr__(self, "plain", self.kind is StatementKind.READ and not more)
