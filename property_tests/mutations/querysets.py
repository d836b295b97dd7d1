"""Bugs of querysets: what is asked, what it depends on, and what comes with an answer."""

from __future__ import annotations

from property_tests.mutations import QUESTIONS, Edit, Mutation

_APART = f"{QUESTIONS}::test_no_question_is_given_anothers_answer"
_SINCE = f"{QUESTIONS}::test_an_answer_goes_with_what_it_was_made_of"


def _apart(name: str, what: str, *edits: Edit, quick: bool = False) -> Mutation:
    return Mutation(name, edits, f"{_APART}[{what}]", quick, machine=True)


def _since(name: str, what: str, *edits: Edit, policy: str = "none", quick: bool = False) -> Mutation:
    return Mutation(name, edits, f"{_SINCE}[{what}-{policy}]", quick, machine=True)


MUTATIONS = (
    # -- fingerprints
    _apart(
        "the fingerprint of a query ignores its slice",
        "slices",
        Edit("        if thing.low_mark or thing.high_mark is not None:\n", "        if False:\n"),
        quick=True,
    ),
    _apart(
        "the fingerprint of a query ignores its order",
        "orders",
        Edit(
            '    if query.order_by:\n        walk.out.append(b"O")\n',
            '    if False:\n        walk.out.append(b"O")\n',
        ),
    ),
    _apart(
        "the fingerprint of a query ignores distinct",
        "distinct",
        Edit(
            '    "order_by", "extra_order_by", "select_related", "extra_tables",',
            '    "distinct", "order_by", "extra_order_by", "select_related", "extra_tables",',
        ),
    ),
    _apart(
        "the fingerprint of a query ignores deferred fields",
        "deferred fields",
        Edit(
            '    "order_by", "extra_order_by", "select_related", "extra_tables",',
            '    "deferred_loading", "order_by", "extra_order_by", "select_related", "extra_tables",',
        ),
    ),
    _apart(
        "the fingerprint of a query ignores the names of annotations",
        "names of annotations",
        Edit(
            '        walk.visit(held["annotations"])\n',
            '        walk.visit(tuple(held["annotations"].values()))\n',
        ),
        Edit("_BUILDING | _CACHES | _HERE", '_BUILDING | _CACHES | _HERE | {"annotation_select_mask"}'),
    ),
    _apart(
        "the fingerprint of a query ignores select_related",
        "select_related",
        Edit("        if thing.select_related and thing.model is not None:\n", "        if False:\n"),
    ),
    _apart(
        "an answer in one time zone is given in another",
        "time zones",
        Edit('timezone.get_current_timezone_name() if structure.zoned else ""', '""'),
    ),
    _apart(
        "dicts and tuples of the same columns are one answer",
        "forms of rows",
        Edit(
            "outside = (asked.op, asked.database, asked.form, zone,",
            "outside = (asked.op, asked.database, (), zone,",
        ),
    ),
    _apart(
        "a count and a list of one query are one answer",
        "operations",
        Edit(
            "outside = (asked.op, asked.database, asked.form, zone,",
            "outside = (asked.database, asked.form, zone,",
        ),
    ),
    _apart(
        "known related objects are part of an entry",
        "known related objects",
        Edit("            clone._known_related_objects = {}\n", ""),
        quick=True,
    ),
    # -- what a query depends on
    _since(
        "IN depends on its first value only",
        "one of several keys",
        Edit("        values = tuple(right)\n", "        values = tuple(right)[:1]\n"),
        quick=True,
    ),
    _since(
        "exclude(pk=...) pins the key",
        "all but one",
        Edit("    if node.negated or node.connector != AND:\n", "    if node.connector != AND:\n"),
    ),
    _since(
        "one of two conditions that are joined by OR pins the key",
        "one or the other",
        Edit("    if node.negated or node.connector != AND:\n", "    if node.negated:\n"),
    ),
    _since(
        "an object is depended on although the table is there twice",
        "the same table under another name",
        Edit('(?!\\s*\\.)", self._sql)) == 1\n', '(?!\\s*\\.)", self._sql)) >= 1\n'),
    ),
    _since(
        "a plan forgets joined tables, and the recording believes it",
        "a joined table",
        Edit(
            "        tables = frozenset(fold(relation.name) for relation in statement.reads)\n        if not rows:",
            "        tables = frozenset({fold(query.model._meta.db_table)})\n        if not rows:",
        ),
        Edit(
            "        left = tuple(table for _, table in sorted(read - self._covered))\n",
            "        left = tuple(table for _, table in sorted(read) if not self._covered)\n",
        ),
    ),
    # -- writes
    _since(
        "match bumps the new values only",
        "a row that loses a value",
        Edit("        return [*old.values(), *new.values()]\n", "        return [*new.values()]\n"),
        policy="match",
        quick=True,
    ),
    _since(
        "match bumps the old values only",
        "a row that gets a value",
        Edit("        return [*old.values(), *new.values()]\n", "        return [*old.values()]\n"),
        policy="match",
    ),
    _since(
        "the write of a row does not bump its lists",
        "a joined table",
        Edit(
            "        return {Namespace(Kind.ROWS, owner), plain(owner)}\n", "        return {plain(owner)}\n"
        ),
    ),
    _since(
        "a write to a table between two models is not seen",
        "relations that are prefetched",
        Edit(
            "    namespaces = _called(catalog, database, statement.functions)\n    if statement.kind",
            "    namespaces = _called(catalog, database, statement.functions)\n"
            "    if any(each.name.endswith('_tags') for each in statement.writes):\n"
            "        return NOTHING\n    if statement.kind",
        ),
    ),
    Mutation(
        "get_or_create() is answered from the cache",
        (Edit("            return FOR_WRITE\n", '            return ""\n'),),
        f"{QUESTIONS}::test_what_is_read_for_a_write_comes_from_the_database",
    ),
)
