"""The walk through the clauses of a query: which relations each part reads and which it writes.

One pass over the tokens with a stack of frames, one for each open parenthesis. It is not a parser: it knows where
a relation can stand (after FROM, JOIN, a comma between them, USING, INTO, UPDATE, TABLE and IN) and what ends such
a list. Whatever it does not expect there raises ``doubt``, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from genscache.orm.frames import Found, is_name
from genscache.orm.places import Places
from genscache.orm.vocabulary import (
    FROM_INSIDE,
    INSERT_MODIFIERS,
    NOT_AN_OPERAND,
    PUNCTUATION,
    UNRESERVED,
    WRITE_MODIFIERS,
)


class Walk(Places):
    """One pass over the tokens of one statement."""

    __slots__ = ()

    def run(self) -> Found:
        """Walk to the end and return what was found."""
        words, end, action_of = self.words, len(self.words) - 2, _ACTIONS.get
        while self.at < end:
            word = words[self.at]
            if self.frame.expect:
                self.relation(word)
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

    def comma(self) -> None:
        """Go on with a list of relations or of CTEs."""
        if self.frame.listing:
            self.frame.expect = True
        elif self.frame.withs:
            self.enter_cte(self.at + 1)

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
            and (following not in _ACTIONS or following in UNRESERVED)
        ):
            self.at += 1
            self.frame.expect, listing = True, self.frame.listing
            self.relation(following)
            self.frame.listing = listing
            self.at -= 1

    def as_(self) -> None:
        """Step over an alias that looks like a keyword: PostgreSQL takes any word after AS."""
        following = self.words[self.at + 1]
        if not self.frame.verb and following in {"SELECT", "WITH", "TABLE", "VALUES"}:
            self.frame.start = self.at + 1  # CREATE TABLE t AS TABLE u
        elif following in _ACTIONS and following not in PUNCTUATION:
            self.at += 1


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
