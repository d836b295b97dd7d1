"""The walk through the clauses of a query: which relations each part reads and which it writes.

One pass over the tokens with a stack of frames, one for each open parenthesis. It is not a parser: it knows where a
relation can stand (after FROM, JOIN, a comma between them, USING, INTO, UPDATE, TABLE, and IN) and what ends such a list.
Whatever it does not expect there raises ``doubt``, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from genscache.orm.lexer import parts
from genscache.orm.statement import Relation
from genscache.orm.vocabulary import (
    AFTER_PARENTHESES,
    DYNAMIC_FUNCTIONS,
    FROM_INSIDE,
    INSERT_MODIFIERS,
    NOT_AN_OPERAND,
    NOT_FUNCTIONS,
    PURE_TABLE_FUNCTIONS,
    WRITE_MODIFIERS,
)

_Name: TypeAlias = tuple[str, Relation]


@dataclass(slots=True)
class Frame:
    """What is known between one ``(`` and its ``)``."""

    start: int
    ctes: frozenset[_Name] = frozenset()
    verb: str = ""
    function: str = ""
    expect: bool = False
    listing: bool = False
    target: bool = False
    using: bool = False
    withs: bool = False
    recursive: bool = False
    cte: _Name | None = None


@dataclass(slots=True)
class Found:
    """What a walk collects; ``every`` says that any relation read could also be written."""

    reads: set[Relation] = field(default_factory=set)
    writes: set[Relation] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    writing: bool = False
    every: bool = False
    locking: bool = False
    into: bool = False
    doubt: bool = False
    incomplete: bool = False


class Walk:
    """One pass over the tokens of one statement."""

    __slots__ = ("at", "depth", "found", "frame", "plain", "raw", "stack", "words")

    def __init__(self, raw: list[str], words: list[str], *, at: int = 0) -> None:
        """Prepare to walk ``raw`` (and the same in upper case) from the token ``at``; two blanks end both."""
        self.raw = [*raw, "", ""]
        self.words = [*words, "", ""]
        self.at = at
        self.found = Found()
        self.stack: list[Frame] = []
        self.frame = Frame(start=at)
        self.plain = -1

    def run(self) -> Found:
        """Walk to the end and return what was found."""
        words, end, action_of = self.words, len(self.words) - 2, _ACTIONS.get
        while self.at < end:
            word = words[self.at]
            if self.frame.expect:
                self._relation(word)
                continue
            action = action_of(word)
            if action is not None:
                action(self)
            elif word[0] == "@" and len(word) > 1 and words[self.at + 1] != "(":
                self.found.incomplete = True  # a session variable holds what no table tells
            self.at += 1
        if self.stack or self.frame.expect:
            self.found.doubt = True
        return self.found

    def _relation(self, word: str) -> None:
        """Read what stands where a relation is expected."""
        frame, following = self.frame, self.words[self.at + 1]
        if word == "(":
            self._nested_relation()
        elif (word in {"ONLY", "LATERAL", "TABLE", "OJ"} and (is_name(following) or following == "(")) or word == "{":
            self._prefix(word, following)
        elif word in {"SELECT", "VALUES", "WITH"} or (self.at == frame.start and word in _WRITERS):
            frame.expect = frame.listing = frame.target = False
            if self.at != frame.start:
                self.found.doubt = True
        elif word == "ROWS" and following == "FROM":
            self.at += 2
        elif word in _ENDS or not is_name(word):
            frame.expect = False
            self.found.doubt = True
        else:
            self._named(self.raw[self.at], following)

    def _prefix(self, word: str, following: str) -> None:
        """Step over a word before a relation; ``TABLE(f())`` and ``{`` can hide any relation."""
        if word == "{" or (word == "TABLE" and following == "("):
            self.found.incomplete = True
        self.at += 1

    def _nested_relation(self) -> None:
        """Enter ``(a JOIN b)`` or ``(SELECT ...)``."""
        frame = self.frame
        frame.expect = False
        if frame.target:
            self.found.every = True
        self._push(Frame(start=self.at + 1, ctes=frame.ctes, expect=True, listing=True, target=frame.target))
        self.at += 1

    def _named(self, token: str, following: str) -> None:
        """Take a relation, or a function that returns rows."""
        frame = self.frame
        frame.expect = False
        if following == "(" and not frame.target:
            self._table_function(token)
        else:
            self.add(token, written=frame.target)
            self.plain = self.at + 1
        self.at += 1

    def _table_function(self, token: str) -> None:
        """Note a function in FROM: unless it is known to be pure, it may read any table."""
        self.called(token)
        last = parts(token)[-1][0].lower()
        if last not in PURE_TABLE_FUNCTIONS:
            self.found.incomplete = True

    def add(self, token: str, *, written: bool) -> None:
        """Add the relation that a token names; a name of a WITH clause in scope is none, unless it is written."""
        for relation in relations(token):
            if written:
                self.found.writes.add(relation)
            elif (plain_name(token), relation) not in self.frame.ctes:
                self.found.reads.add(relation)

    def called(self, token: str) -> str:
        """Add the function that a token names, with and without its schema, and return its last part."""
        names = [name.lower() for name, _ in parts(token)]
        if not names:
            return ""
        self.found.functions.update({names[-1], ".".join(names)})
        if names[-1].startswith(DYNAMIC_FUNCTIONS):
            self.found.incomplete = True
        return names[-1]

    def _push(self, frame: Frame) -> None:
        self.stack.append(self.frame)
        self.frame = frame

    def open(self) -> None:
        """Enter a parenthesis, which may hold the arguments of a function."""
        before = self.words[self.at - 1] if self.at else ""
        function = ""
        if before not in NOT_FUNCTIONS and self.at != self.plain and is_name(before.lstrip("@")):
            function = self.called(self.raw[self.at - 1])
        self._push(Frame(start=self.at + 1, ctes=self.frame.ctes, function=function))

    def close(self) -> None:
        """Leave a parenthesis; after the body of a CTE its name is in scope."""
        if not self.stack:
            self.found.doubt = True
            return
        left, self.frame = self.frame, self.stack.pop()
        if left.expect:
            self.found.doubt = True
        if left.cte is not None:
            self.frame.ctes |= {left.cte}
            self.frame.withs = True
            self.frame.start = self.at + 1

    def comma(self) -> None:
        """Go on with a list of relations or of CTEs."""
        if self.frame.listing:
            self.frame.expect = True
        elif self.frame.withs:
            self._cte(self.at + 1)

    def with_list(self) -> None:
        """Enter the first CTE, if this WITH starts any (WITH ORDINALITY, WITH TIES and others do not)."""
        at = self.at + 1
        self.frame.recursive = self.words[at] == "RECURSIVE" and self.words[at + 1] != "AS"
        self._cte(at + self.frame.recursive)

    def _cte(self, at: int) -> None:
        """Enter ``name [(columns)] AS [[NOT] MATERIALIZED] (``, else stay."""
        words, token = self.words, self.raw[at]
        name = parts(token)
        at += 1
        if words[at] == "(" and ")" in words[at:]:
            at = words.index(")", at) + 1
        if not name or words[at] != "AS":
            return
        at += 1
        while words[at] in {"NOT", "MATERIALIZED"}:
            at += 1
        if words[at] != "(":
            return
        cte = (plain_name(token), Relation(name=name[-1][0]))
        # Without RECURSIVE the body still sees the table of that name, not itself.
        inner = self.frame.ctes | {cte} if self.frame.recursive else self.frame.ctes
        self._push(Frame(start=at + 1, ctes=inner, cte=cte))
        self.at = at

    def select(self) -> None:
        """Start a query block in this frame."""
        frame = self.frame
        frame.verb = "SELECT"
        frame.listing = frame.target = frame.withs = False

    def from_(self) -> None:
        """Start a list of relations, unless this FROM belongs to an expression."""
        frame, before = self.frame, self.words[self.at - 1]
        if before == "DISTINCT" and self.words[self.at - 2] in {"IS", "NOT"}:
            return
        if not frame.verb:
            if frame.function in FROM_INSIDE:
                return
            self.found.doubt = True
        if frame.verb == "DELETE":
            self.found.every = True
        frame.expect = frame.listing = True
        frame.target = False

    def join(self) -> None:
        """Expect the relation that is joined."""
        if self.frame.listing:
            self.frame.expect = True

    def using(self) -> None:
        """Start the second list of DELETE or MERGE."""
        frame = self.frame
        if not frame.using:
            return
        if frame.verb == "DELETE":
            self.found.every = True
        frame.using = frame.target = False
        frame.expect = frame.listing = True

    def end_list(self) -> None:
        """End a list of relations."""
        self.frame.listing = self.frame.target = False

    def returning(self) -> None:
        """End a list of relations, where RETURNING can only be a clause."""
        if self.found.writing:
            self.end_list()

    def window(self) -> None:
        """End a list of relations at ``WINDOW w AS``; elsewhere ``window`` may be an alias."""
        if self.words[self.at + 2] == "AS":
            self.end_list()

    def set_operation(self) -> None:
        """End a query block; the next one starts here."""
        self.end_list()
        self.frame.start = self.at + (2 if self.words[self.at + 1] in {"ALL", "DISTINCT"} else 1)

    def _heads(self) -> bool:
        """Tell whether the verb here starts a statement."""
        frame = self.frame
        if self.at != frame.start and not frame.withs:
            return False
        following = self.words[self.at + 1]
        nested = bool(self.stack)
        if nested and (following in NOT_AN_OPERAND or not is_name(following)):
            return False
        frame.withs = False
        return True

    def update(self) -> None:
        """Start UPDATE, or note the row locks of FOR UPDATE, or the update part of an INSERT."""
        before = self.words[self.at - 1] if self.at else ""
        if self._heads():
            self._writes("UPDATE", WRITE_MODIFIERS)
            self.frame.listing = True
        elif before == "FOR" or (before == "KEY" and self.words[self.at - 2] == "NO"):
            self.found.locking = True
            self.end_list()
        elif before == "KEY":
            self.end_list()

    def share(self) -> None:
        """Note FOR SHARE and FOR KEY SHARE."""
        if self.words[self.at - 1] in {"FOR", "KEY"}:
            self.found.locking = True
            self.end_list()

    def delete(self) -> None:
        """Start DELETE; ``DELETE a FROM a JOIN b`` meets another FROM later."""
        if self._heads():
            self._writes("DELETE", WRITE_MODIFIERS | {"FROM"})
            self.frame.listing = self.frame.using = True

    def insert(self) -> None:
        """Start INSERT, REPLACE, UPSERT or MERGE."""
        verb = self.words[self.at]
        if not self._heads():
            return
        self._writes(verb, INSERT_MODIFIERS)
        self.frame.using = verb == "MERGE"
        if self.words[self.at + 1] in {"ALL", "FIRST"}:
            self.frame.expect = False

    def _writes(self, verb: str, modifiers: frozenset[str]) -> None:
        """Step over modifiers (``OR`` with its word too) to the target of a write."""
        words, frame = self.words, self.frame
        while words[self.at + 1] in modifiers:
            into = words[self.at + 1] in {"INTO", "FROM"}
            self.at += 2 if words[self.at + 1] == "OR" else 1
            if into:
                break
        self.found.writing = True
        frame.verb = verb
        frame.expect = frame.target = True

    def into(self) -> None:
        """Take the table that SELECT INTO makes, or another target of a multi-table INSERT."""
        at = self.at + 1
        while self.words[at] in {"TEMP", "TEMPORARY", "UNLOGGED", "TABLE", "LOCAL", "GLOBAL"}:
            at += 1
        word = self.words[at]
        if word in {"OUTFILE", "DUMPFILE"}:
            self.found.doubt = self.found.writing = True
        elif is_name(word):
            self.found.writing = self.found.into = True
            self.add(self.raw[at], written=True)
            self.at = self.plain = at
            self.plain += 1
        else:
            self.found.incomplete = True

    def table(self) -> None:
        """Read ``TABLE t`` where a query can stand."""
        frame = self.frame
        queries = self.at == frame.start or frame.withs or frame.verb in {"INSERT", "REPLACE"}
        if queries and is_name(self.words[self.at + 1]):
            frame.withs = frame.target = False
            frame.verb, frame.expect = "SELECT", True

    def values(self) -> None:
        """Start VALUES, which ends the list of CTEs."""
        self.frame.withs = False

    def in_(self) -> None:
        """Read SQLite's ``x IN t``, and note LOCK IN SHARE MODE."""
        following = self.words[self.at + 1]
        if following == "SHARE":
            self.found.locking = True
        elif (
            following not in {"BOOLEAN", "NATURAL"}
            and self.frame.function != "position"
            and is_name(following)
            and following not in _ACTIONS
        ):
            self.at += 1
            self.frame.expect, listing = True, self.frame.listing
            self._relation(following)
            self.frame.listing = listing
            self.at -= 1

    def as_(self) -> None:
        """Step over an alias that looks like a keyword: PostgreSQL takes any word after AS."""
        following = self.words[self.at + 1]
        if following in _ACTIONS and following not in AFTER_PARENTHESES:
            if self.frame.verb or following not in {"SELECT", "WITH", "TABLE", "VALUES"}:
                self.at += 1


def is_name(word: str) -> bool:
    """Tell whether a token can name a relation: a word, a quoted name, MySQL's ``2024_log``, SQLite's ``'t'``."""
    first = word[:1]
    if first.isdigit():
        return not word.replace(".", "").isdigit()
    return first.isalpha() or (first != "" and (first in "_\"`'" or first >= "\x80"))


def plain_name(token: str) -> str:
    """Return a name as it is spelled, without quotes."""
    return token[1:-1] if token[0] in "\"`'" else token


def relations(token: str) -> list[Relation]:
    """Return the relations that a token can mean: PostgreSQL cuts a name after 63 bytes, others do not."""
    if token[0] == "'":
        return [Relation(name=token[1:-1].replace("''", "'"))]
    if token[0].isdigit():
        names = [part.lower() for part in token.split(".")]
    else:
        names = [name for name, _ in parts(token)]
    schema = names[-2] if len(names) > 1 else None
    whole = names[-1].encode(errors="surrogatepass")
    found = [Relation(name=names[-1], schema=schema)]
    if len(whole) > 63:
        found.append(Relation(name=whole[:63].decode(errors="ignore"), schema=schema))
    return found


_WRITERS: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "UPSERT"})
_ENDS: Final = frozenset({"WHERE", "GROUP", "ORDER", "HAVING", "ON", "JOIN", "FROM", "UNION", "INTO", "LIMIT"})
_ACTIONS: Final[dict[str, Callable[[Walk], None]]] = {
    "(": Walk.open,
    ")": Walk.close,
    ",": Walk.comma,
    "WITH": Walk.with_list,
    "SELECT": Walk.select,
    "FROM": Walk.from_,
    "JOIN": Walk.join,
    "STRAIGHT_JOIN": Walk.join,
    "APPLY": Walk.join,
    "USING": Walk.using,
    "UNION": Walk.set_operation,
    "INTERSECT": Walk.set_operation,
    "EXCEPT": Walk.set_operation,
    "RETURNING": Walk.returning,
    "WINDOW": Walk.window,
    "UPDATE": Walk.update,
    "SHARE": Walk.share,
    "DELETE": Walk.delete,
    "INTO": Walk.into,
    "TABLE": Walk.table,
    "VALUES": Walk.values,
    "IN": Walk.in_,
    "AS": Walk.as_,
    **dict.fromkeys(("INSERT", "REPLACE", "UPSERT", "MERGE"), Walk.insert),
    **dict.fromkeys(("WHERE", "GROUP", "HAVING", "LIMIT", "ORDER", "SET"), Walk.end_list),
}
