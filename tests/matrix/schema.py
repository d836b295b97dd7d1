"""The tables, the view and the triggers of one database, which is made for the run."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from django.core.management import call_command
from django.db import connection, connections

from tests.matrix.orders import Orders
from tests.site.news.derived import create_view

_COLLATION: Final = {"mariadb": " COLLATE utf8mb4_general_ci"}
"""As most MySQL databases have it: letters of either case are the same, and spaces at the end are nothing."""

_ZONES: Final = (
    "INSERT IGNORE INTO mysql.time_zone VALUES (1, 'N')",
    "INSERT IGNORE INTO mysql.time_zone_name VALUES ('UTC', 1)",
    "INSERT IGNORE INTO mysql.time_zone_transition_type VALUES (1, 0, 0, 0, 'UTC')",
)
"""What MariaDB must know of time zones, to convert from UTC; an installed one has read them from the system."""

_COUNT: Final = "UPDATE extras_tally SET articles = articles {sign} 1 WHERE section_id = {row}.section_id"
_ONE: Final = "CREATE TRIGGER tally_{event} AFTER {event} ON news_article FOR EACH ROW BEGIN {body}; END"
_FUNCTION: Final = (
    "CREATE FUNCTION tally_{event}() RETURNS trigger AS $$ BEGIN {body}; RETURN NULL; END $$ LANGUAGE plpgsql"
)
_CALL: Final = (
    "CREATE TRIGGER tally_{event} AFTER {event} ON news_article FOR EACH ROW EXECUTE FUNCTION tally_{event}()"
)
_BODIES: Final = {
    "INSERT": [_COUNT.format(sign="+", row="NEW")],
    "DELETE": [_COUNT.format(sign="-", row="OLD")],
    "UPDATE": [_COUNT.format(sign="-", row="OLD"), _COUNT.format(sign="+", row="NEW")],
}


def create(orders: Orders) -> None:
    """Make the database and what is in it."""
    if orders.database != "sqlite":
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {orders.name}{_COLLATION.get(orders.database, '')}")
            for sql in _ZONES if orders.database == "mariadb" else ():
                cursor.execute(sql)
    call_command("migrate", run_syncdb=True, verbosity=0)
    create_view(connection)
    # Past Django: a trigger may write anything, of which genscache would have to say so.
    with closing(connection.connection.cursor()) as cursor:
        for event, statements in _BODIES.items():
            body = "; ".join(statements)
            for sql in (_FUNCTION, _CALL) if orders.database == "postgres" else (_ONE,):
                cursor.execute(sql.format(event=event, body=body))


def drop(orders: Orders) -> None:
    """Remove the database from its server; a file goes with its folder."""
    connections.close_all()
    if orders.database != "sqlite":
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {orders.name}")
