"""What asks for many rows, for values, or for numbers over them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Rank, TruncDay, Upper

from tests.matrix.asking import Read
from tests.matrix.extras.models import Book, Chapter
from tests.matrix.rows import day
from tests.site.news.models import Article, Asset, Author, Club, Reader, Section, Tag, Topic

EAST: Final = dt.timezone(dt.timedelta(hours=1))
"""No name of a zone: MariaDB would have to be given the definitions."""

OWN: Any = Article.objects.filter(author=OuterRef("pk"))
FIRST_VIEWS: Any = OWN.order_by("-views").values("views")[:1]

LISTS: Final[dict[str, Read]] = {
    "all": lambda q: list(q(Article).order_by("pk")),
    "empty list": lambda q: list(q(Article).filter(views=777).order_by("pk")),
    "by FK value": lambda q: list(q(Article).filter(section=1).order_by("pk")),
    "by two FK values": lambda q: list(q(Article).filter(section=1, author=1).order_by("pk")),
    "over FK": lambda q: list(q(Article).filter(author__name="Ada").order_by("pk")),
    "over reverse FK": lambda q: list(q(Section).filter(articles__author=1).distinct().order_by("pk")),
    "reverse isnull": lambda q: list(q(Section).filter(articles__isnull=True).order_by("pk")),
    "nullable FK isnull": lambda q: list(q(Asset).filter(article__isnull=True).order_by("path")),
    "over m2m": lambda q: list(q(Article).filter(tags__name="blue").order_by("pk")),
    "over reverse m2m": lambda q: list(q(Tag).filter(articles__views__gte=20).distinct().order_by("pk")),
    "exclude over m2m": lambda q: list(q(Article).exclude(tags__name="blue").order_by("pk")),
    "over m2m to self": lambda q: list(q(Reader).filter(friends__name="Bo").order_by("pk")),
    "over m2m with a model between": lambda q: list(q(Club).filter(members__name="Bo", open=True).order_by("pk")),
    "over self FK": lambda q: list(q(Topic).filter(parent__parent__name="root").order_by("pk")),
    "over one-to-one": lambda q: list(q(Author).filter(profile__text="likes tea").order_by("pk")),
    "Q tree": lambda q: list(
        q(Article).filter((Q(author__name="Ada") & ~Q(section__name="world")) | Q(tags__name="red"))
        .distinct().order_by("pk")
    ),
    "OR over two relations": lambda q: list(
        q(Article).filter(Q(assets__path="/red") | Q(author__profile__text="likes tea")).distinct().order_by("pk")
    ),
    "F": lambda q: list(q(Article).filter(views__gt=F("score") * 2).order_by("pk")),
    "F over FK": lambda q: list(q(Article).annotate(by=Upper(F("author__name"))).order_by("pk")),
    "in a queryset": lambda q: list(q(Article).filter(author__in=Author.objects.filter(name="Ada")).order_by("pk")),
    "Exists": lambda q: list(q(Author).filter(Exists(OWN.filter(views__gt=20))).order_by("pk")),
    "subquery in Coalesce": lambda q: list(
        q(Author).annotate(most=Coalesce(Subquery(FIRST_VIEWS), 0)).order_by("pk")
    ),
    "subquery in When": lambda q: list(
        q(Author).annotate(kind=Case(When(Exists(OWN), then=Value("writes")), default=Value("rests"))).order_by("pk")
    ),
    "subquery in order_by": lambda q: list(q(Author).order_by(Coalesce(Subquery(FIRST_VIEWS), 0), "pk")),
    "Case": lambda q: list(
        q(Article).annotate(much=Case(When(views__gte=20, then=1), default=0, output_field=IntegerField()))
        .order_by("pk")
    ),
    "Window": lambda q: list(
        q(Article).annotate(place=Window(Rank(), partition_by="section", order_by="-views")).order_by("pk")
    ),
    "FilteredRelation": lambda q: list(
        q(Section).annotate(seen=FilteredRelation("articles", condition=Q(articles__views__gte=20)))
        .annotate(n=Count("seen")).order_by("pk")
    ),
    "filtered aggregate": lambda q: list(
        q(Author).annotate(n=Count("articles", filter=Q(articles__tags__name="blue"))).order_by("pk")
    ),
    "group by": lambda q: list(q(Article).values("section__name").annotate(n=Count("pk")).order_by("section__name")),
    "having": lambda q: list(q(Author).annotate(n=Count("articles")).filter(n__gt=1).order_by("pk")),
    "alias": lambda q: list(q(Article).alias(n=Count("tags")).filter(n=1).order_by("pk")),
    "order_by over FK": lambda q: list(q(Article).order_by("author__name", "-pk")),
    "Meta.ordering": lambda q: list(q(Book)),
    "Meta.ordering over FK": lambda q: list(q(Chapter)),
    "order_by FK whose model has ordering": lambda q: list(q(Chapter).order_by("book", "-number")),
    "slice": lambda q: list(q(Article).order_by("pk")[1:3]),
    "slice ordered over FK": lambda q: list(q(Article).order_by("author__name", "pk")[:2]),
    "distinct": lambda q: list(q(Article).filter(tags__isnull=False).distinct().order_by("pk")),
    "union": lambda q: list(q(Article).filter(views=10).union(q(Article).filter(views=30)).order_by("id")),
    "union of two models": lambda q: list(
        q(Tag).values_list("name").union(Section.objects.values_list("name")).order_by("name")
    ),
    "intersection": lambda q: list(
        q(Article).filter(views__gt=5).intersection(Article.objects.filter(views__lt=25)).order_by("id")
    ),
    "difference": lambda q: list(q(Article).difference(Article.objects.filter(tags__name="blue")).order_by("id")),
    "only": lambda q: list(q(Article).only("title").order_by("pk")),
    "defer": lambda q: list(q(Article).select_related("author").defer("body", "author__name").order_by("pk")),
    "extra": lambda q: list(
        q(Article).extra(
            select={"double": "views * 2"},
            where=["news_article.author_id = news_author.id"],
            tables=["news_author"],
        ).order_by("pk")
    ),
    "RawSQL": lambda q: list(q(Article).annotate(n=RawSQL("(SELECT COUNT(*) FROM news_tag)", ())).order_by("pk")),
    "values": lambda q: list(q(Article).values("pk", "title").order_by("pk")),
    "values over relations": lambda q: list(
        q(Article).values("title", "author__name", "tags__name").order_by("pk", "tags")
    ),
    "values_list": lambda q: list(q(Article).values_list("title", "score").order_by("pk")),
    "values_list flat": lambda q: list(q(Tag).values_list("name", flat=True).order_by("name")),
    "values_list named": lambda q: list(q(Article).values_list("title", "views", named=True).order_by("pk")),
    "dates": lambda q: list(q(Article).dates("published", "month")),
    "datetimes": lambda q: list(q(Article).datetimes("published", "day", tzinfo=EAST)),
    "Trunc in a time zone": lambda q: list(
        q(Article).annotate(day=TruncDay("published", tzinfo=EAST)).values_list("day", "pk").order_by("pk")
    ),
    "by time": lambda q: list(q(Article).filter(published__gte=day(2, 0)).order_by("pk")),
    "count": lambda q: q(Article).count(),
    "count by FK value": lambda q: q(Article).filter(section=1).count(),
    "count over m2m": lambda q: q(Article).filter(tags__name="blue").count(),
    "count of a slice ordered over FK": lambda q: q(Article).order_by("author__name")[:2].count(),
    "exists": lambda q: q(Article).filter(views__gte=40).exists(),
    "exists over reverse FK": lambda q: q(Section).filter(articles__author__name="Cy").exists(),
    "aggregate": lambda q: q(Article).aggregate(Sum("views"), best=Max("score")),
    "aggregate over m2m": lambda q: q(Article).aggregate(n=Count("tags", distinct=True)),
    "aggregate over an annotation": lambda q: q(Author).annotate(n=Count("articles")).aggregate(Avg("n")),
    "aggregate with a subquery": lambda q: q(Author).aggregate(n=Sum(Coalesce(Subquery(FIRST_VIEWS), 0))),
    "aggregate, filtered": lambda q: q(Section).aggregate(n=Count("pk", filter=Q(articles__tags__name="blue"))),
}  # fmt: skip

RAW: Final[dict[str, Read]] = {
    "raw": lambda q: list(q(Article).raw("SELECT * FROM news_article WHERE views > %s ORDER BY id", [5])),
    "raw with join": lambda q: list(
        q(Article).raw(
            "SELECT a.*, b.name AS byline FROM news_article a JOIN news_author b ON b.id = a.author_id ORDER BY a.id"
        )
    ),
}  # fmt: skip
"""SQL of the user's own is cached only where ``.cache()`` says so."""
