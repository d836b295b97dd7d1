r"""SQL text into tokens, under every reading that a supported database could give it.

Databases disagree about what ends a string (``'\'``), what starts a comment (``#``, ``--``, nesting), and whether a
comment is code (``/*! ... */``). A text without such marks has one reading and is split by one regular expression.
Any other text is first rewritten, once for each dialect, into a canonical text without them; readings that differ
are all scanned, and the caller merges the answers. A reading in which a quote never ends is dropped: the database
that reads so refuses the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD = r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*+"
_PART = rf"""(?:{_WORD}|"[^"]*+(?:""[^"]*+)*+"|`[^`]*+(?:``[^`]*+)*+`)"""
_TUPLE = r"\(\s*+%s(?:\s*+,\s*+%s)*+\s*+\)"
_TOKEN: Final = re.compile(
    rf"""
    {_PART}(?:\s*+\.\s*+(?:{_PART}|\*))*+     # a name with all its parts
    | %s(?!\w)(?:\s*+,\s*+%s(?!\w))*+          # one placeholder, or a list of them
    | ,\s*+{_TUPLE}(?:\s*+,\s*+{_TUPLE})*+     # further rows of placeholders
    | %%\(\w[\w.\-]*+\)s | %%%%
    | '[^']*+(?:''[^']*+)*+'
    | ::?\s*+{_PART} | @++\s*+{_PART}          # :parameter, ::type, @variable
    | [0-9][\w.$]*+
    | \S
    """.replace("%%", "%"),
    re.VERBOSE,
)
_PARTS: Final = re.compile(_PART)
_MARKS: Final = ("'", '"', "`")


@dataclass(frozen=True, slots=True)
class Reading:
    """How one family of databases reads quotes and comments.

    Attributes:
        opening: Finds the next place that needs care.
        single: Ends a string after its opening quote.
        double: Ends what ``"`` opened.
        hides: Whether a backslash hides the next character in ``'...'`` and in ``"..."``.
        nested: Block comments nest.
        newlines: The characters that end a line comment.
    """

    opening: re.Pattern[str]
    single: re.Pattern[str]
    double: re.Pattern[str]
    hides: tuple[bool, bool]
    nested: bool
    newlines: re.Pattern[str]


_PLAIN_SINGLE: Final = re.compile(r"[^']*+(?:''[^']*+)*+'")
_PLAIN_DOUBLE: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+"')
_BACKSLASH_SINGLE: Final = re.compile(r"(?:[^'\\]|\\.|'')*+'", re.DOTALL)
_BACKSLASH_DOUBLE: Final = re.compile(r'(?:[^"\\]|\\.|"")*+"', re.DOTALL)
_BACKTICK: Final = re.compile(r"[^`]*+(?:``[^`]*+)*+`")
_BLOCK: Final = re.compile(r"/\*|\*/")
_DOLLAR = r"(?<![\w$\x80-\U0010ffff])\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$"
_ESCAPE = r"(?<![\w$\x80-\U0010ffff])[eE]'"


def _reading(
    opening: str, *, single: bool, double: bool = False, nested: bool = False, cr: bool = False
) -> Reading:
    """Build a reading; ``single`` and ``double`` tell where a backslash hides a quote."""
    return Reading(
        opening=re.compile(rf"{opening}|/\*|['\"`]"),
        single=_BACKSLASH_SINGLE if single else _PLAIN_SINGLE,
        double=_BACKSLASH_DOUBLE if double else _PLAIN_DOUBLE,
        hides=(single, double),
        nested=nested,
        newlines=re.compile(r"[\r\n]|\Z" if cr else r"\n|\Z"),
    )


_POSTGRES = rf"{_DOLLAR}|{_ESCAPE}|--"
_MYSQL = r"#|--(?=[\s\x00-\x20]|\Z)|/\*M?!(?:\d{5,6})?|\*/"
_READINGS: Final = (
    _reading(_POSTGRES, single=False, nested=True, cr=True),
    _reading(_MYSQL, single=True, double=True),
    _reading(r"\[|--", single=False),
)
# PostgreSQL without standard_conforming_strings; MySQL with NO_BACKSLASH_ESCAPES; MySQL with ANSI_QUOTES.
_BACKSLASH_READINGS: Final = (
    _reading(_POSTGRES, single=True, nested=True, cr=True),
    _reading(_MYSQL, single=False),
    _reading(_MYSQL, single=True),
)
_ORACLE: Final = _reading(r"(?<![\w$#])[nN]?[qQ]'|--", single=False)
_ORACLE_QUOTE: Final = re.compile(r"[qQ]'")
_PAIRS: Final = {"[": "]", "(": ")", "{": "}", "<": ">"}


# What every database reads alike: quotes without backslashes, and block comments that hold no other.
_ALIKE: Final = re.compile(
    r"""('[^']*+(?:''[^']*+)*+'|"[^"]*+(?:""[^"]*+)*+"|`[^`]*+(?:``[^`]*+)*+`)"""
    r"|/\*(?!M?!)[^*/]*+(?:\*(?!/)[^*/]*+|/(?!\*)[^*/]*+)*+\*/"
)


def readings(sql: str) -> list[str]:
    """Return the canonical texts that a database could understand by ``sql``; none where no database can read it.

    A canonical text has no comments, no backslashes that matter, and only the quotes ``'``, ``"`` and backtick,
    doubled inside themselves.
    """
    if not is_ambiguous(sql):
        return [sql]
    if "/*" in sql and not _beyond_comments(sql):
        # One pass for what comment-writing middleware sends with each statement.
        text = _ALIKE.sub(r"\1 ", sql)
        if "/*" not in text:
            return [text]
    ways = _READINGS + (_BACKSLASH_READINGS if "\\" in sql else ())
    if _ORACLE_QUOTE.search(sql):
        ways = (*ways, _ORACLE)
    texts = (_canonical(sql, way) for way in ways)
    return list(dict.fromkeys(text for text in texts if text is not None))


def is_ambiguous(sql: str) -> bool:
    """Tell whether databases could disagree on where the strings and comments of a text are."""
    return "/*" in sql or _beyond_comments(sql)


def _beyond_comments(sql: str) -> bool:
    """Tell whether a text has marks, apart from block comments, that databases read differently."""
    return (
        "--" in sql
        or "\\" in sql
        or "#" in sql
        or "$" in sql
        or "[" in sql
        or (("q'" in sql or "Q'" in sql) and _ORACLE_QUOTE.search(sql) is not None)
    )


def tokenize(text: str) -> list[str] | None:
    """Split a canonical text; ``None`` where a quote never ends."""
    tokens = _TOKEN.findall(text)
    if any(mark in tokens for mark in _MARKS):
        return None
    return tokens


def parts(token: str) -> list[tuple[str, bool]]:
    """Split a name into its parts: the text without quotes, lower case if it had none, and whether it had."""
    found = []
    for part in _PARTS.findall(token):
        mark = part[0]
        if mark in _MARKS:
            found.append((part[1:-1].replace(mark * 2, mark), True))
        else:
            found.append((part.lower(), False))
    return found


def _canonical(sql: str, way: Reading) -> str | None:
    """Rewrite a text as one dialect reads it; ``None`` if that dialect refuses it."""
    pieces: list[str] = []
    position = 0
    while match := way.opening.search(sql, position):
        pieces.append(sql[position : match.start()])
        found = _piece(sql, match.group(), match.end(), way)
        if found is None:
            return None
        piece, position = found
        pieces.append(piece)
    pieces.append(sql[position:])
    return "".join(pieces)


def _piece(sql: str, opening: str, start: int, way: Reading) -> tuple[str, int] | None:
    """Read what ``opening`` started: what it becomes, and where it ends."""
    if opening.startswith("/*"):
        return (" ", start) if "!" in opening else _comment(sql, start, nested=way.nested)
    if opening in {"*/", "--", "#"}:
        end = None if opening == "*/" else way.newlines.search(sql, start)
        return " ", end.start() if end else start
    if opening == "[":
        end_of_name = sql.find("]", start)
        return None if end_of_name < 0 else (_quoted(sql[start:end_of_name], '"'), end_of_name + 1)
    if opening[0] == "$":
        end_of_text = sql.find(opening, start)
        return None if end_of_text < 0 else (_quoted(sql[start:end_of_text], "'"), end_of_text + len(opening))
    if opening[-2:] in {"q'", "Q'"}:
        return _oracle(sql, start)
    return _string(sql, opening, start, way)


def _string(sql: str, opening: str, start: int, way: Reading) -> tuple[str, int] | None:
    """Read ``'...'``, ``E'...'``, ``"..."`` or a name in backticks."""
    mark = opening[-1]
    hides = (mark == "'" and (way.hides[0] or len(opening) > 1)) or (mark == '"' and way.hides[1])
    closing = {"'": _BACKSLASH_SINGLE if hides else way.single, '"': way.double, "`": _BACKTICK}[mark]
    match = closing.match(sql, start)
    if match is None:
        return None
    content = sql[start : match.end() - 1].replace(mark * 2, mark)
    return _quoted(re.sub(r"(?s)\\(.)", r"\1", content) if hides else content, mark), match.end()


def _oracle(sql: str, start: int) -> tuple[str, int] | None:
    """Read the rest of Oracle's ``q'[...]'``."""
    closing = _PAIRS.get(sql[start : start + 1], sql[start : start + 1]) + "'"
    end = sql.find(closing, start + 1)
    return None if end < 0 else (_quoted(sql[start + 1 : end], "'"), end + 2)


def _comment(sql: str, start: int, *, nested: bool) -> tuple[str, int] | None:
    """Skip a block comment; one that never ends is refused where comments nest, else it lasts to the end."""
    if not nested:
        end = sql.find("*/", start)
        return " ", len(sql) if end < 0 else end + 2
    depth = 1
    while match := _BLOCK.search(sql, start):
        start = match.end()
        depth += -1 if match.group() == "*/" else 1
        if depth == 0:
            return " ", start
    return None


def _quoted(content: str, mark: str) -> str:
    """Quote a text canonically, kept apart from its neighbours so that two strings never join."""
    return f" {mark}{content.replace(mark, mark * 2)}{mark} "
