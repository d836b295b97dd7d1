"""Random statements, most of them valid, that put relations in every place where a scanner could miss them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

TABLES: Final = ("alpha", "beta", "gamma", '"Odd name"', '"select"')
_ALIASES: Final = ("z", "k1", '"from"', "q1", "t1")
_CTES: Final = ("cte", "w", '"Z"')


@dataclass(frozen=True)
class Corpus:
    """A source of statements; ``dialect`` is sqlite, postgres or mysql."""

    random: Random
    dialect: str = "sqlite"

    def statement(self) -> str:
        """Return one statement."""
        pick, depth = self.random.randrange(8), 2
        if pick in {4, 5, 6}:
            sql = (self._insert, self._update, self._delete)[pick - 4]()
        else:
            sql = self._pick("", "/* c, alpha */ ", "-- from beta\n") + self.query(depth)
        return sql.replace('"', "`") if self.dialect == "mysql" else sql

    def query(self, depth: int) -> str:
        """Return a query with up to ``depth`` levels inside."""
        sql = self._core(depth)
        for _ in range(self.random.choice((0, 0, 0, 1))):
            sql += self._pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + self._core(depth)
        sql += self._pick("", "", " ORDER BY 1") + self._pick("", "", " LIMIT 1", " LIMIT 1 OFFSET 3")
        return self._with(depth) + sql if depth and self.random.random() < 0.25 else sql

    def _pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def _core(self, depth: int) -> str:
        columns = [
            self._value(depth) + self._pick("", " AS c1", ' AS "from"')
            for _ in range(self.random.randrange(1, 3))
        ]
        sql = "SELECT " + self._pick("", "DISTINCT ") + ", ".join(columns)
        if self.random.random() < 0.85:
            sql += self._pick(" FROM ", "\nfrom\t", " From/**/") + self._places(depth)
        if self.random.random() < 0.4:
            sql += f" WHERE {self._value(depth)} = 1"
        return sql + (f" GROUP BY id, {self._value(depth)}" if self.random.random() < 0.1 else "")

    def _places(self, depth: int) -> str:
        sql = self._place(depth)
        for _ in range(self.random.randrange(3)):
            join = self._pick(", ", " JOIN ", " LEFT JOIN ", " CROSS JOIN ", ",/* , beta */ ")
            sql += join + self._place(depth)
            if join in {" JOIN ", " LEFT JOIN "}:
                sql += " ON 1 = 1"
        return sql

    def _place(self, depth: int) -> str:
        alias = self._pick(" ", " AS ") + self.random.choice(_ALIASES)
        if depth and self.random.random() < 0.2:
            return f"({self.query(depth - 1)}){alias}"
        if depth and self.random.random() < 0.15:
            return f"({self._place(depth - 1)} JOIN {self._place(depth - 1)} ON 1 = 1)"
        prefix = self._pick("", "", "main.", "main . ") if self.dialect == "sqlite" else ""
        return prefix + self.random.choice(TABLES) + (alias if self.random.random() < 0.5 else "")

    def _value(self, depth: int) -> str:
        if depth and self.random.random() < 0.35:
            inner = self.query(depth - 1)
            return self._pick(
                f"({inner})", f"EXISTS({inner})", f"(1 IN ({inner}))", f"CASE WHEN 1 = 1 THEN ({inner}) END"
            )
        sqlite = ("(1 IN gamma)", "(1 IN main.beta)", "(1 IN 'alpha')") if self.dialect == "sqlite" else ()
        return self._pick(
            "1", "x", "replace('a', 'b', ' from gamma ')", "(replace('x''', 'y', 'z'))", "'it''s from beta'",
            "/* ' */ 3", "-- it's\n 4", "(1 IS NOT NULL)", "abs(1)", *sqlite,
        )  # fmt: skip

    def _with(self, depth: int) -> str:
        bodies = [
            f"{name}{self._pick(' AS ', ' as ', ' AS/**/')}({self.query(depth - 1)})"
            for name in self.random.sample(_CTES, self.random.randrange(1, 3))
        ]
        return self._pick("WITH ", "WITH RECURSIVE ", "with ") + ", ".join(bodies) + " "

    def _insert(self) -> str:
        return f"INSERT INTO {self.random.choice(TABLES)} (id, x) " + self._pick(
            f"VALUES (1, {self._value(1)})", self.query(1), "SELECT x, y FROM gamma"
        )

    def _update(self) -> str:
        where = f" WHERE id = 1 OR {self._value(2)} = 2"
        return f"UPDATE {self.random.choice(TABLES)} SET x = {self._value(1)}, y = {self._value(1)}{where}"

    def _delete(self) -> str:
        return f"DELETE FROM {self.random.choice(TABLES)} WHERE {self._value(2)} = 2"
