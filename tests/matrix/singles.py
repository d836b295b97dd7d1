"""What asks for one row, or for rows by their keys."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, FilteredRelation, Q, Subquery

from tests.matrix.asking import Read, saved
from tests.matrix.rows import RED_ASSET, day
from tests.site.news.models import (
    Article,
    Asset,
    Author,
    Column,
    Country,
    PopularArticle,
    Section,
    Tag,
    Topic,
)

SINGLE: Final[dict[str, Read]] = {
    "get by pk": lambda q: q(Article).get(pk=1),
    "get another by pk": lambda q: q(Article).get(pk=3),
    "get by unique field": lambda q: q(Tag).get(name="blue"),
    "get: DoesNotExist by pk": lambda q: q(Article).get(pk=99),
    "get: DoesNotExist by unique field": lambda q: q(Tag).get(name="new"),
    "get: MultipleObjectsReturned": lambda q: q(Article).get(author=1),
    "get by UUID": lambda q: q(Asset).get(pk=RED_ASSET),
    "get by text pk": lambda q: q(Country).get(pk="nl"),
    # One row by two names, where the database says so (MariaDB).
    "get by text pk, in other letters": lambda q: q(Country).get(pk="NL"),
    "get by text pk, padded": lambda q: q(Country).get(pk="de "),
    "text pk in, in other letters": lambda q: list(q(Country).filter(pk__in=["NL", "DE"]).order_by("pk")),
    "get by unique field, in other letters": lambda q: q(Tag).get(name="BLUE"),
    "get by pk as text": lambda q: q(Article).get(pk="1"),
    "get a child": lambda q: q(Column).get(pk=4),
    "get a child's parent": lambda q: q(Article).get(pk=4),
    "get a proxy": lambda q: q(PopularArticle).get(pk=4),
    "get with select_related": lambda q: q(Article).select_related("author", "section").get(pk=1),
    "get with select_related, child": lambda q: q(Article).select_related("column").get(pk=2),
    "get with select_related, one-to-one": lambda q: q(Author).select_related("profile").get(pk=3),
    "get with select_related, same key": lambda q: q(Section).select_related("tally").get(pk=1),
    "get with select_related, to self": lambda q: q(Topic).select_related("parent__parent").get(pk=3),
    "get with prefetch": lambda q: q(Author).prefetch_related("articles__tags").get(pk=1),
    "get with annotation over m2m": lambda q: q(Article).annotate(n=Count("tags")).get(pk=1),
    "get with subquery on its own table": lambda q: q(Article).annotate(
        most=Subquery(Article.objects.order_by("-views").values("views")[:1])
    ).get(pk=1),
    "get only": lambda q: q(Article).only("title").get(pk=1),
    "pk and condition": lambda q: list(q(Article).filter(pk=1, views__lt=50)),
    "pk in": lambda q: list(q(Article).filter(pk__in=[1, 2]).order_by("pk")),
    "pk in, union": lambda q: list(
        q(Article).filter(pk=1).union(q(Article).filter(pk=3)).order_by("id")
    ),
    "child's pk over its parent": lambda q: list(q(Article).filter(column__pk=4)),
    "pk in, with m2m condition": lambda q: list(q(Article).filter(pk__in=[1, 2], tags__name="blue").order_by("pk")),
    "pk or another condition": lambda q: list(q(Article).filter(Q(pk=1) | Q(views__gt=20)).order_by("pk")),
    "pk and exclude over m2m": lambda q: list(q(Article).filter(pk=1).exclude(tags__name="green")),
    "pk and a relation to self": lambda q: list(q(Topic).filter(pk=3, parent__parent__name="root")),
    "pk and aggregate": lambda q: q(Article).filter(pk=1).aggregate(n=Count("tags")),
    "pk and FilteredRelation": lambda q: list(
        q(Section)
        .annotate(seen=FilteredRelation("articles", condition=Q(articles__views__gte=20)))
        .filter(pk=1, seen__isnull=False)
    ),
    "two querysets by OR": lambda q: list((q(Article).filter(pk=1) | q(Article).filter(views__gt=20)).order_by("pk")),
    "XOR": lambda q: list(q(Article).filter(Q(pk=1) ^ Q(views__gt=5)).order_by("pk")),
    "many pks": lambda q: list(q(Article).filter(pk__in=range(1, 120)).order_by("pk")),
    "the automatic model between": lambda q: list(q(Article.tags.through).filter(article=1).order_by("pk")),
    "pk of a related row": lambda q: list(q(Article).filter(author__pk=1).order_by("pk")),
    "not this pk": lambda q: list(q(Article).exclude(pk=1).order_by("pk")),
    "in_bulk": lambda q: q(Article).order_by("pk").in_bulk([1, 3, 99]),
    "in_bulk by unique field": lambda q: q(Tag).order_by("name").in_bulk(["blue", "new"], field_name="name"),
    "exists by pk": lambda q: q(Article).filter(pk=99).exists(),
    "contains": lambda q: q(Article).contains(saved(Article, 1, published=day(1))),
    "first": lambda q: q(Article).order_by("-views").first(),
    "last": lambda q: q(Article).order_by("-views").last(),
    "earliest": lambda q: q(Article).earliest("published"),
    "latest": lambda q: q(Article).latest("views", "pk"),
    "@cached": lambda q: q.function("newest"),
    "@cached, of one object": lambda q: q.function("titled", 1),
    "@cached, discovered": lambda q: q.function("sections"),
}  # fmt: skip
