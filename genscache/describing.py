"""Namespaces in words, for those who ask what a read depends on or what an invalidation bumps."""

from __future__ import annotations

from genscache.keys import Kind, Namespace
from genscache.namespaces import Catalog


def described(catalog: Catalog, namespace: Namespace) -> str:
    """Return a namespace in words: ``"object 5 of blog.Post on default"``; values of ``match`` are left out."""
    kind, owner, detail = namespace.kind, namespace.owner, namespace.detail
    match kind:
        case Kind.SITE:
            return "everything on this site"
        case Kind.FUNCTION:
            return f"all calls of {owner}"
        case Kind.CALL:
            return f"this call of {owner}" if detail else f"a call of {owner}"
        case Kind.NAMED:
            return f'the name "{owner}"'
        case _:
            return _of_table(catalog, kind, owner, detail)


def _of_table(catalog: Catalog, kind: Kind, owner: str, detail: str) -> str:
    alias, _, table = owner.partition(".")
    alias = alias.replace("%2E", ".").replace("%25", "%")
    known = catalog.tables.get(table)
    name = f'the table "{table}"' if known is None else known.label
    where = f"{name} on {alias}"
    match kind:
        case Kind.MODEL:
            return f"{where} as a whole"
        case Kind.ROWS:
            return f"any row of {where}"
        case Kind.OBJECT:
            return f"object {detail} of {where}"
        case _ if "=" in detail:
            fields = ", ".join(part.partition("=")[0] for part in detail.split(","))
            return f"rows of {where} with these values of {fields}"
        case _:
            return f'rows of {where} whose writer does not tell their values ("match")'
