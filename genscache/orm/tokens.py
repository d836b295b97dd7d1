"""The tokens of one statement, as written and in upper case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tokens:
    """Two lists of one length: ``raw`` for names, ``words`` (the same in upper case) for keywords."""

    raw: list[str]
    words: list[str]

    def word(self, at: int) -> str:
        """Return the word at an index, blank past the end."""
        return self.words[at] if at < len(self.words) else ""

    def rest(self, at: int) -> Tokens:
        """Return the tokens from an index on."""
        return Tokens(raw=self.raw[at:], words=self.words[at:])

    def mention(self, marks: tuple[str, ...]) -> bool:
        """Tell whether any token contains any of the marks, also within a longer name or a string."""
        return any(mark in word for word in self.words for mark in marks)

    def after(self, *phrase: str) -> int:
        """Return the index after the first place where these words stand in a row, zero if nowhere."""
        width = len(phrase)
        for at in range(len(self.words) - width + 1):
            if tuple(self.words[at : at + width]) == phrase:
                return at + width
        return 0
