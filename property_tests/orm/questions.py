"""Random questions: querysets put together from words, and what they are asked; and some that differ in one thing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hypothesis import strategies as st

from property_tests.orm.templates import one_of
from property_tests.orm.vocabulary import STARTS, WORDS
from property_tests.orm.words import Words

ENDS = (
    *(
        "list($)",
        "list($)",
        "list($)",
        "list($)",
        "$.count()",
        "$.count()",
        "$.exists()",
        "$.aggregate({sum})",
    ),
    *(
        "$.first()",
        "$.last()",
        "$.get()",
        "$.get({condition})",
        "$.in_bulk([1, 2])",
        "$.latest({late})",
        "$.earliest({late})",
    ),
    *(
        "bool($)",
        "len($)",
        "$.contains({model}(pk=1))",
        "list($.iterator())",
        "list($.all().filter())",
        "list(pickled($))",
    ),
    *(
        "wait($.aget({condition}))",
        "wait($.acount())",
        "wait(alist($))",
        "wait(alist($))",
        "wait($.afirst())",
        "wait($.aexists())",
    ),
    *("wait($.aaggregate({sum}))", "wait($.ain_bulk([1, 2]))"),
)
"""What is asked of a queryset ``$``."""

UNCUT = ("last(", "latest(", "earliest(", "get(", "in_bulk(", "contains(", "filter(")
"""Operations that Django refuses on a slice."""

MANNERS = ("", "", "", "", "timeout=60", "lock=True", "ops=['list', 'count']", "by policy")
"""Arguments of ``.cache()``; "by policy": it is not called."""

PLAIN_ORDERS = ("'pk'", "'-pk'")
"""What a combined queryset may be ordered by."""

ORDERED = ("first", "last", "latest", "earliest", "afirst")
"""Operations that look at the order themselves."""


@dataclass(frozen=True, repr=False)
class Question:
    """A queryset and what it is asked; its repr is what a person would write.

    Attributes:
        start: The manager.
        model: What it is a manager of.
        narrowed: Calls of ``filter()`` and ``exclude()``.
        derived: A call that adds a column, or nothing.
        combined: A call of ``union()`` or its kind, or nothing.
        order: Arguments of ``order_by()``.
        distinct: ``.distinct()`` is called.
        shape: A call that says what rows look like, or nothing.
        cut: A slice, or nothing.
        end: What is asked of ``$``.
        zone: The time zone that is current.
        manner: Arguments of ``.cache()``.
    """

    start: str
    model: str
    narrowed: tuple[str, ...] = ()
    derived: str = ""
    combined: str = ""
    order: str = ""
    distinct: bool = False
    shape: str = ""
    cut: str = ""
    end: str = "list($)"
    zone: str = "UTC"
    manner: str = ""

    @property
    def loose(self) -> bool:
        """Tell whether rows may be there twice, or in no order that could be told."""
        return not self.combined and self.shape in WORDS[self.model].many

    @property
    def sorted(self) -> bool:
        """Tell whether the order of the rows is told, down to the last row."""
        return self.order in PLAIN_ORDERS if self.combined else bool(self.order) and not self.loose

    @property
    def fixed(self) -> bool:
        """Tell whether the order in an answer means something."""
        return self.sorted and "in_bulk" not in self.end

    @property
    def text(self) -> str:
        """The source; what does not go together is left out."""
        # Where the key of what is known is left out, Django asks for it row by row; the cache leaves it out.
        shape = "" if self.start.startswith("of(") and ".only(" in self.shape else self.shape
        calls = [self.combined] if self.combined else [self.derived, ".distinct()" * self.distinct, shape]
        cut = "" if any(name in self.end for name in UNCUT) else self.cut
        ordering = [f".order_by({self.order})", cut] if self.sorted else []
        end = "list($)" if any(f"{name}(" in self.end for name in self._unfit()) else self.end
        return end.replace("$", "".join((self.start, *self.narrowed, *calls, *ordering)))

    def _unfit(self) -> tuple[str, ...]:
        """Return operations that are not told what to do here, or are refused."""
        if self.combined:
            return (*ORDERED, "get", "filter", "in_bulk", "contains", "aggregate", "iterator")
        rows = not self.shape.startswith((".values", ".dates", ".datetimes"))
        return (ORDERED if self.loose else ()) + (() if rows else ("in_bulk", "contains"))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - called by Hypothesis
        printer.text(repr(self))

    def __repr__(self) -> str:
        said = "" if self.manner == "by policy" else f".cache({self.manner})"
        zone = "" if self.zone == "UTC" else f", zone={self.zone!r}"
        return f"<{self.text}  # {said or self.manner}{zone}>"


def _narrowings(words: Words) -> st.SearchStrategy[tuple[str, ...]]:
    call = st.sampled_from(("filter", "filter", "filter", "filter", "exclude"))
    return st.lists(st.builds(".{}({})".format, call, one_of(words.conditions)), max_size=2).map(tuple)


def _ends(words: Words) -> st.SearchStrategy[str]:
    def finished(template: str) -> st.SearchStrategy[str]:
        for hole, templates in (
            ("{sum}", words.sums),
            ("{condition}", words.conditions),
            ("{late}", words.late),
        ):
            if hole in template:
                return one_of(templates).map(partial(template.replace, hole))
        return st.just(template.replace("{model}", words.model))

    return st.sampled_from(ENDS).flatmap(finished)


def _slots(words: Words) -> dict[str, st.SearchStrategy[object]]:
    """Return what each part of a question may be."""
    nothing = st.just("")
    union = st.builds(
        ".{}({})".format,
        st.sampled_from(("union", "union", "intersection", "difference")),
        one_of(words.others or ("",)),
    )
    return {
        "narrowed": _narrowings(words),
        "derived": st.one_of(nothing, nothing, one_of(words.derived)) if words.derived else nothing,
        "combined": st.one_of(*[nothing] * 11, union) if words.others else nothing,
        "order": st.one_of(nothing, st.sampled_from(words.orders)),
        "distinct": st.sampled_from((False, False, False, True)),
        "shape": st.one_of(nothing, nothing, one_of(words.shapes), one_of(words.many)),
        "cut": st.sampled_from(("", "", "[:1]", "[:2]", "[1:]", "[1:3]")),
        "end": _ends(words),
        "zone": st.sampled_from(("UTC", "UTC", "UTC", "Asia/Tokyo")),
        "manner": st.sampled_from(MANNERS),
    }


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Put a question together."""
    template, model = draw(st.sampled_from(STARTS))
    slots = _slots(WORDS[model])
    return Question(draw(one_of((template,))), model, **{name: draw(each) for name, each in slots.items()})  # type: ignore[arg-type]


@st.composite
def families(draw: st.DrawFn) -> tuple[Question, ...]:
    """Put a question together, and others that differ from it in one part each: none may be given another's answer."""
    found = [draw(questions())]
    slots = _slots(WORDS[found[0].model])
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(slots)))
        found.append(replace(found[0], **{name: draw(slots[name])}))  # type: ignore[arg-type]
    return tuple(dict.fromkeys(found))
