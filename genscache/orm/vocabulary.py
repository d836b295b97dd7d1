"""The words of SQL that the walk goes by, with the reason for each set."""

from __future__ import annotations

from typing import Final

PUNCTUATION: Final = frozenset({"(", ")", ","})
"""Punctuation that has an action of its own and is never an alias."""

UNRESERVED: Final = frozenset({"WINDOW", "REPLACE", "SHARE", "UPSERT", "MERGE", "APPLY"})
"""Words with an action that some database still takes as the name of a table."""

FROM_INSIDE: Final = frozenset({"extract", "substring", "substr", "mid", "trim", "overlay"})
"""Functions whose arguments have a FROM that names no relation."""

WRITE_MODIFIERS: Final = frozenset({"LOW_PRIORITY", "QUICK", "IGNORE", "OR"})
INSERT_MODIFIERS: Final = frozenset({
    "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE", "OVERWRITE", "OR", "INTO",
})  # fmt: skip

NOT_AN_OPERAND: Final = frozenset(
    {"IS", "AND", "OR", "IN", "NOT", "LIKE", "ILIKE", "BETWEEN", "THEN", "COLLATE"}
)
"""What may follow a column that is called ``update`` or ``delete``, and never follows the verb in parentheses."""

PURE_TABLE_FUNCTIONS: Final = frozenset({
    "generate_series", "generate_subscripts", "unnest", "string_to_table", "regexp_matches", "regexp_split_to_table",
    "json_table", "xmltable", "json_each", "json_tree", "jsonb_each", "jsonb_tree", "json_each_text", "jsonb_each_text",
    "json_array_elements", "jsonb_array_elements", "json_array_elements_text", "jsonb_array_elements_text",
    "json_object_keys", "jsonb_object_keys", "json_populate_record", "jsonb_populate_record", "json_populate_recordset",
    "jsonb_populate_recordset", "json_to_record", "jsonb_to_record", "json_to_recordset", "jsonb_to_recordset",
    "jsonb_path_query", "pragma_table_info", "pragma_table_xinfo", "pragma_index_list", "pragma_index_info",
    "pragma_foreign_key_list", "pragma_table_list",
})  # fmt: skip
"""Functions that are used in FROM and read nothing but their arguments (and the schema)."""

DYNAMIC_FUNCTIONS: Final = (
    "dblink", "query_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml", "cursor_to_xml", "crosstab",
    "connectby", "xpath_table", "ts_stat", "ts_rewrite", "pg_read_", "pg_ls_", "lo_", "load_file", "getxml", "eval",
)  # fmt: skip
"""Beginnings of functions that run text as SQL, or read what is not a table."""

NOT_FUNCTIONS: Final = frozenset({
    "ALL", "AND", "ANY", "ARRAY", "AS", "BETWEEN", "BY", "CASE", "CHECK", "CONFLICT", "CUBE", "DEFAULT",
    "DISTINCT", "ELSE", "EXCEPT", "EXISTS", "FILTER", "FROM", "GROUP", "GROUPING", "HAVING", "ILIKE",
    "IN", "INDEX", "INNER", "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "KEY", "LATERAL", "LEFT",
    "LIKE", "LIMIT", "MATERIALIZED", "NOT", "OFFSET", "ON", "ONLY", "OR", "OVER", "PARTITION", "PRIMARY",
    "RECURSIVE", "REFERENCES", "REGEXP", "RETURNING", "RLIKE", "ROLLUP", "ROW", "SELECT", "SET", "SETS",
    "SIMILAR", "SOME", "TABLE", "THEN", "TO", "UNION", "UNIQUE", "USING", "VALUES", "WHEN", "WHERE",
    "WITH", "WITHIN",
})  # fmt: skip
"""Words that can stand before a parenthesis without calling anything."""
