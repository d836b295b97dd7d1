"""How a statement is spelled does not change what it does; what is in literals and comments is not there."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from genscache.orm.sql import Relation, Statement, StatementKind, scan

SPACE = st.sampled_from(
    [" ", "\n", "\t ", " /* from hidden, */ ", " -- update hidden set\n", "/**/ ", "\r\n"]
)
NAME = st.sampled_from(["alpha", "beta", "gamma", "delta"])
SPELLINGS = (str.upper, str.lower, str.title)
FRAGMENTS = st.sampled_from([
    'select', 'from', 'with', 'a', 'b', '(', ')', ',', ';', "'", '"', '`', '[', ']', '--', '/*',
    '*/', '/*!', '#', '$$', '\\', 'update', 'delete', 'insert', 'into', 'as', 'table', 'set', 'in',
    'explain', 'analyze', '%s', '.', '*', '{', 'call', 'create', 'alter', 'rename', 'to', 'drop',
    'truncate', 'copy', 'declare', 'begin', '@x', "q'[", "E'", '1', "\x00", "é",
])  # fmt: skip

TEMPLATES = [
    ("select x from {0} join {1} on ( {0} . id = {1} . id ) where x in ( select y from {2} )", "", "012"),
    ("with c as ( select * from {0} ) select * from c , {1}", "", "01"),
    ("insert into {0} ( x ) select y from {1} , {2}", "0", "12"),
    ("update {0} set x = ( select max ( y ) from {1} ) , y = 2 where z = 'it''s'", "0", "1"),
    ("delete from {0} where x in ( select y from {1} )", "0", "1"),
    ("with w as ( delete from {0} returning * ) select * from w , {1}", "0", "1"),
    (
        "with v as ( select 1 ) , w as ( update {0} set x = 1 returning * ) insert into {1} select * from w",
        "01",
        "",
    ),
    ("explain analyze delete from {0} where x = ( select 1 from {1} )", "0", "1"),
    ("truncate table {0} , {1}", "01", ""),
    ("merge into {0} using {1} on ( 1 = 1 ) when matched then delete", "0", "1"),
]


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, set[str], set[str]]:
    """Return a statement in some spelling, and the names that it writes and reads."""
    template, writes, reads = draw(st.sampled_from(TEMPLATES))
    tables = draw(st.permutations(["alpha", "beta", "gamma"]))
    pieces = []
    for word in template.split(" "):
        if word[0] == "{":
            pieces.append(draw(st.sampled_from(["{}", '"{}"', "`{}`"])).format(tables[int(word[1])]))
        else:
            # The name of a WITH clause in another case may be another name, so those stay as they are.
            pieces.append(
                word if word[0] == "'" or len(word) == 1 else draw(st.sampled_from(SPELLINGS))(word)
            )
        pieces.append(draw(SPACE))
    text = (
        draw(st.sampled_from(["", "\n", "/* x */"]))
        + "".join(pieces)
        + draw(st.sampled_from(["", ";", "; "]))
    )
    return text, {tables[int(i)] for i in writes}, {tables[int(i)] for i in reads}


def names(relations: frozenset[Relation]) -> set[str]:
    """Return the names of relations, without case."""
    return {relation.folded for relation in relations}


@given(spelled())
def test_spelling_changes_nothing(case: tuple[str, set[str], set[str]]) -> None:
    sql, writes, reads = case
    found = scan(sql)
    assert found.kind is (StatementKind.WRITE if writes else StatementKind.READ)
    assert (names(found.writes), names(found.reads), found.complete) == (writes, reads, True)


@given(st.one_of(st.text(), st.lists(FRAGMENTS).map(" ".join), st.lists(FRAGMENTS).map("".join)))
@example("with a as (")
@example("select * from \ud800")
def test_any_text_has_an_answer_that_is_consistent(sql: str) -> None:
    found = scan(sql)
    assert isinstance(found, Statement)
    assert found.writes or found.kind is not StatementKind.WRITE
    assert not found.complete or found.kind is not StatementKind.UNKNOWN
    assert found == scan(sql)


@given(NAME, st.text(alphabet=st.characters(exclude_characters="\x00\\", exclude_categories=["Cs"])))
@example("alpha", "'; delete from beta; --")
@example("alpha", "*/ delete from beta /*")
def test_a_literal_neither_adds_nor_hides_a_table(name: str, text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    found = scan(f"select {literal} from {name} where x = {literal} and y in (select z from omega)")
    assert {name, "omega"} == names(found.reads)
    assert (found.kind, found.writes) == (StatementKind.READ, frozenset())


@given(NAME, st.text())
@example("alpha", "\\'; delete from beta; -- ")
def test_whatever_a_literal_holds_the_table_behind_it_is_seen(name: str, text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    found = scan(f"delete from {name} where x = {literal}")
    assert found.kind is StatementKind.UNKNOWN or (
        found.kind is StatementKind.WRITE and name in names(found.writes)
    )


@given(NAME, st.text(alphabet=st.characters(exclude_characters="\n\r\x00*/!+", exclude_categories=["Cs"])))
@example("alpha", "'")
def test_a_comment_neither_adds_nor_hides_a_table(name: str, text: str) -> None:
    for comment in (f"/* {text} */", f"-- {text}\n"):
        found = scan(f"select x {comment} from {comment} {name} {comment}")
        assert (found.kind, names(found.reads), names(found.writes)) == (StatementKind.READ, {name}, set())


@given(
    NAME,
    st.integers(0, 6),
    st.sampled_from(["update {} set x = 1", "delete from {}", "insert into {} values (1)"]),
)
def test_a_write_is_found_however_deep_it_is_hidden(name: str, depth: int, write: str) -> None:
    sql = f"with w as ({write.format(name)} returning *) select * from w"
    for level in range(depth):
        sql = f"with w{level} as ({sql}) select * from w{level}"
    found = scan(sql)
    assert (found.kind, names(found.writes), names(found.reads)) == (StatementKind.WRITE, {name}, set())
