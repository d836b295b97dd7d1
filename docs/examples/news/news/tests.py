"""What the views promise: ``python manage.py test``.

``TransactionTestCase``, because a ``TestCase`` is one transaction that never commits: nothing may be cached in it.
"""

# ruff: noqa: S101, PLR2004 - in a test, assert is the point and a number is its meaning
from __future__ import annotations

import json

from django.test import TransactionTestCase

from genscache import invalidate_all
from news.models import Article, Author

FEED = [{"title": "One", "author": "Ada"}, {"title": "Two", "author": "Grace"}]


class NewsTest(TransactionTestCase):
    """A reader and several kinds of writers."""

    def setUp(self) -> None:
        """Begin with two articles and no entry of another test."""
        invalidate_all()
        self.client.post("/import/", json.dumps(FEED), content_type="application/json")

    def lines(self) -> list[str]:
        """Return the front page's articles."""
        return self.client.get("/").content.decode().splitlines()[:-2]

    def test_a_second_look_asks_the_database_nothing(self) -> None:
        """A hit is one round trip to the store and no query."""
        self.lines()
        with self.assertNumQueries(0):
            assert self.lines() == ["Two (Grace)", "One (Ada)"]

    def test_a_write_through_django_is_seen_by_itself(self) -> None:
        """``update()`` sends no signal, and is seen all the same."""
        self.lines()
        Author.objects.filter(name="Ada").update(name="Ada L.")
        assert self.lines() == ["Two (Grace)", "One (Ada L.)"]

    def test_an_import_is_seen_when_it_has_ended(self) -> None:
        """A batch sends out what it has gathered at its end."""
        self.lines()
        self.client.post("/import/", json.dumps(FEED[:1]), content_type="application/json")
        assert self.lines() == ["One (Ada)", "Two (Grace)", "One (Ada)"]

    def test_a_write_past_django_is_seen_after_invalidate_model(self) -> None:
        """The driver's own cursor, and then ``invalidate_model``."""
        self.lines()
        self.client.post("/recount/")
        assert self.lines() == ["Two! (Grace)", "One! (Ada)"]

    def test_another_article_leaves_the_entry_of_one_alone(self) -> None:
        """``depends_on`` one object."""
        one, two = Article.objects.order_by("pk")
        self.client.get(f"/articles/{one.pk}/")
        two.title = "Second"
        two.save()
        with self.assertNumQueries(0):
            assert self.client.get(f"/articles/{one.pk}/").content == b"One"
        one.title = "First"
        one.save()
        assert self.client.get(f"/articles/{one.pk}/").content == b"First"

    def test_what_is_not_there_is_cached_too(self) -> None:
        """``None`` is a value; the article that is then written is seen."""
        pk = Article.objects.order_by("-pk")[0].pk + 1
        assert self.client.get(f"/articles/{pk}/").status_code == 404
        Article.objects.create(title="Three", author=Author.objects.get(name="Ada"))
        assert self.client.get(f"/articles/{pk}/").content == b"Three"
