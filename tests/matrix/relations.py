"""What follows relations, and the odd kinds of model."""

from __future__ import annotations

from typing import Final

from django.db.models import Prefetch

from tests.matrix.asking import Read, saved
from tests.matrix.extras.models import Comment, Profile, Tally, Video
from tests.matrix.rows import RED_ASSET, day
from tests.site.news.models import (
    Article,
    Asset,
    Author,
    Club,
    Column,
    Country,
    Membership,
    PopularArticle,
    Reader,
    Section,
    SectionSummary,
    Tag,
    Topic,
)

RELATIONS: Final[dict[str, Read]] = {
    "select_related": lambda q: list(q(Article).select_related("author", "section").order_by("pk")),
    "select_related, nullable": lambda q: list(q(Asset).select_related("article__author").order_by("path")),
    "select_related, reverse one-to-one": lambda q: list(q(Author).select_related("profile").order_by("pk")),
    "select_related, parent to child": lambda q: list(q(Article).select_related("column").order_by("pk")),
    "prefetch m2m": lambda q: list(q(Article).prefetch_related("tags").order_by("pk")),
    "prefetch reverse FK": lambda q: list(q(Author).prefetch_related("articles").order_by("pk")),
    "prefetch FK": lambda q: list(q(Article).prefetch_related("author").order_by("pk")),
    "prefetch self FK": lambda q: list(q(Topic).prefetch_related("children").order_by("pk")),
    "prefetch nested": lambda q: list(
        q(Section).prefetch_related("articles__tags", "articles__author").order_by("pk")
    ),
    "Prefetch with a queryset": lambda q: list(
        q(Author).prefetch_related(Prefetch("articles", q(Article).filter(views__gte=20).order_by("pk")))
        .order_by("pk")
    ),
    "Prefetch to_attr": lambda q: list(
        q(Section).prefetch_related(
            Prefetch("articles", q(Article).select_related("author").order_by("pk"), to_attr="found")
        ).order_by("pk")
    ),
    "prefetch a generic relation": lambda q: list(q(Video).prefetch_related("comments").order_by("pk")),
    "prefetch a generic foreign key": lambda q: list(q(Comment).prefetch_related("about").order_by("pk")),
    "over a generic relation": lambda q: list(q(Video).filter(comments__text="nice").order_by("pk")),
    "generic related manager": lambda q: list(q(saved(Video, 1).comments).order_by("pk")),
    "reverse FK manager": lambda q: list(q(saved(Author, 1).articles).order_by("pk")),
    "m2m manager": lambda q: list(q(saved(Article, 1, published=day(1)).tags).order_by("pk")),
    "reverse m2m manager": lambda q: list(q(saved(Tag, 1).articles).order_by("pk")),
    "m2m manager, model between": lambda q: list(q(saved(Club, 1).members).order_by("pk")),
    "m2m manager to self": lambda q: list(q(saved(Reader, 1).friends).order_by("pk")),
    "the model between": lambda q: list(q(Membership).select_related("club", "reader").order_by("pk")),
    "children": lambda q: list(q(Column).order_by("pk")),
    "children by a parent's field": lambda q: list(q(Column).filter(views__gte=40).order_by("pk")),
    "over parent to child": lambda q: list(q(Author).filter(articles__column__series="Monday").order_by("pk")),
    "proxy": lambda q: list(q(PopularArticle).order_by("pk")),
    "proxy, count": lambda q: q(PopularArticle).count(),
    "custom manager": lambda q: list(q(Video.shown).order_by("pk")),
    "custom queryset": lambda q: list(q(Video).long().order_by("pk")),
    "view (DERIVED)": lambda q: list(q(SectionSummary).order_by("pk")),
    "one row of a view (DERIVED)": lambda q: q(SectionSummary).get(pk=1),
    "trigger's target (DERIVED)": lambda q: list(q(Tally).order_by("pk")),
    "one row of a trigger's target": lambda q: q(Tally).get(pk=1),
    "over the trigger's target": lambda q: list(q(Section).filter(tally__articles__gt=1).order_by("pk")),
    "using another alias": lambda q: list(q(Article).using("mirror").order_by("pk")),
    "get using another alias": lambda q: q(Article).using("mirror").get(pk=1),
    "text pk list": lambda q: list(q(Country).order_by("pk")),
    "one-to-one": lambda q: q(Profile).select_related("author").get(author=1),
}  # fmt: skip

ATTRIBUTES: Final[dict[str, Read]] = {
    "attribute: FK": lambda _: saved(Article, 1, author_id=1, published=day(1)).author,
    "attribute: FK to a child's parent": lambda _: saved(Asset, RED_ASSET, article_id=4).article,
    "attribute: reverse one-to-one": lambda _: saved(Author, 1).profile,
    "attribute: child of a parent": lambda _: saved(Article, 4, published=day(1)).column,
    "attribute: generic foreign key": lambda q: q(Comment).get(pk=1).about,
    "attribute: FK of a list": lambda q: [each.author for each in q(Article).order_by("pk")],
}
"""Django asks for these by itself, so they are cached only where ``MODELS`` says so."""
