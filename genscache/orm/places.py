"""The places where a relation can stand: lists after FROM and JOIN, nested joins, table functions, WITH clauses."""

from __future__ import annotations

from typing import Final

from genscache.orm.frames import Found, Frame, is_name, plain_name, relations
from genscache.orm.lexer import parts
from genscache.orm.statement import Relation
from genscache.orm.vocabulary import DYNAMIC_FUNCTIONS, NOT_FUNCTIONS, PURE_TABLE_FUNCTIONS

_WRITERS: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "UPSERT"})
_ENDS: Final = frozenset(
    {"WHERE", "GROUP", "ORDER", "HAVING", "ON", "JOIN", "FROM", "UNION", "INTO", "LIMIT"}
)


class Places:
    """One pass over the tokens of one statement: the machinery that the clauses use."""

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

    def relation(self, word: str) -> None:
        """Read what stands where a relation is expected."""
        frame, following = self.frame, self.words[self.at + 1]
        if word == "(":
            self._nested_relation()
        elif (
            word in {"ONLY", "LATERAL", "TABLE", "OJ"} and (is_name(following) or following == "(")
        ) or word == "{":
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

    def with_list(self) -> None:
        """Enter the first CTE, if this WITH starts any (WITH ORDINALITY, WITH TIES and others do not)."""
        at = self.at + 1
        self.frame.recursive = self.words[at] == "RECURSIVE" and self.words[at + 1] != "AS"
        self.enter_cte(at + self.frame.recursive)

    def enter_cte(self, at: int) -> None:
        """Enter ``name [(columns)] AS [[NOT] MATERIALIZED] (``, else stay."""
        words, token = self.words, self.raw[at]
        name = parts(token)
        at += 1
        if words[at] == "(":
            at += 1
            while words[at] == "," or is_name(words[at]):
                at += 1
            at += words[at] == ")"
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
