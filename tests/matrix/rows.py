"""The rows that every pair begins with: few, and at least one for each side of each condition of the shapes."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Final

from tests.matrix.extras.models import Book, Chapter, Comment, Profile, Tally, Video, Weather
from tests.site.news.models import (
    Article,
    Asset,
    Author,
    Club,
    Column,
    Country,
    Membership,
    Reader,
    Section,
    Tag,
    Topic,
)

RED_ASSET: Final = uuid.UUID(int=1)
BLUE_ASSET: Final = uuid.UUID(int=2)
LOOSE_ASSET: Final = uuid.UUID(int=3)


def day(number: int, hour: int = 12) -> dt.datetime:
    """Return a moment in January 2026."""
    return dt.datetime(2026, 1, number, hour, tzinfo=dt.UTC)


def seed() -> None:
    """Write the rows; automatic primary keys count from 1."""
    sections = [Section.objects.create(name=name) for name in ("home", "world", "empty")]
    for section in sections:
        Tally.objects.create(section=section)
    authors = [Author.objects.create(name=name) for name in ("Ada", "Bo", "Cy")]
    tags = [Tag.objects.create(name=name) for name in ("blue", "red", "green")]
    for number in range(3):
        article = Article.objects.create(
            title=f"Title {number + 1}",
            section=sections[number % 2],
            author=authors[number // 2],
            published=day(number + 1, 23),
            views=10 * (number + 1),
            score=3,
        )
        article.tags.set(tags[: 2 - number])
    column = Column.objects.create(
        title="Column", section=sections[1], author=authors[1], published=day(9), views=400, series="Monday"
    )
    column.tags.add(tags[1])
    Asset.objects.create(pk=RED_ASSET, article_id=1, path="/red")
    Asset.objects.create(pk=BLUE_ASSET, article_id=column.pk, path="/blue")
    Asset.objects.create(pk=LOOSE_ASSET, path="/loose")
    Country.objects.create(code="nl", name="Netherlands")
    Country.objects.create(code="de", name="Germany")
    root = Topic.objects.create(name="root")
    Topic.objects.create(name="leaf", parent=Topic.objects.create(name="branch", parent=root))
    Topic.objects.create(name="other root")
    readers = [Reader.objects.create(name=name) for name in ("Ann", "Bo", "Cas")]
    readers[0].friends.add(readers[1])
    clubs = [Club.objects.create(name="chess"), Club.objects.create(name="go", open=False)]
    for reader in readers:
        Membership.objects.create(club=clubs[reader.pk // 3], reader=reader)
    Profile.objects.create(author=authors[0], text="likes tea")
    Profile.objects.create(author=authors[1], text="likes milk")
    videos = [
        Video.objects.create(title=title, minutes=minutes, hidden=hidden)
        for title, minutes, hidden in (("Trains", 12, False), ("Birds", 5, False), ("Secret", 60, True))
    ]
    Comment.objects.create(about=videos[0], text="nice")
    Comment.objects.create(about=Article.objects.get(pk=1), text="well written")
    Comment.objects.create(about=videos[1], text="nice")
    books = [Book.objects.create(title=title) for title in ("Bees", "Ants")]
    for number in range(4):
        Chapter.objects.create(book=books[number % 2], number=number)
    Weather.objects.create(degrees=20)
