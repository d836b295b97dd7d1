"""What can be said of each model in a queryset, and where querysets begin."""

from __future__ import annotations

from dataclasses import replace

from property_tests.orm.articles import ARTICLE, COLUMN, POPULAR
from property_tests.orm.words import Words

_NAMED = (
    "pk={pk}",
    "pk={pk}",
    "pk__in=[{id}, {id}]",
    "id={pk}",
    "name={name}",
    "name={name}",
    "name__in=[{name}, {name}]",
)

SECTION = Words(
    "Section",
    conditions=(
        *_NAMED,
        "articles={pk}",
        "articles__views={views}",
        "articles__isnull=True",
        "articles__tags__name={name}",
        "articles__author__name={name}",
        "articles__in=[{id}, {id}]",
        "Q(name={name}) | Q(articles__title={name})",
        "Exists(Article.objects.filter(section=OuterRef('pk'), views={views}))",
        "~Q(articles__views={views})",
    ),
    derived=(
        ".annotate(n=Count('articles'))",
        ".annotate(n=Sum('articles__views'))",
        ".alias(n=Count('articles')).filter(n__gte=1)",
        ".annotate(n=Subquery(Article.objects.filter(section=OuterRef('pk')).order_by('-pk').values('title')[:1]))",
    ),
    shapes=(
        *Words.shapes,
        ".prefetch_related('articles')",
        ".prefetch_related('articles__tags')",
        ".prefetch_related(Prefetch('articles', Article.objects.filter(views={views})))",
    ),
    many=(*Words.many, ".values('name', 'articles__title')"),
    sums=(*Words.sums, "n=Count('articles')", "n=Sum('articles__views')"),
    others=("Section.objects.filter(name={name})", "Section.objects.all()"),
)
AUTHOR = replace(
    SECTION,
    model="Author",
    conditions=(*_NAMED, "articles__views={views}", "articles__section__name={name}"),
    others=("Author.objects.filter(name={name})",),
)
AUTHOR = replace(AUTHOR, derived=(".annotate(n=Count('articles'))", ".annotate(n=Sum('articles__views'))"))
TAG = replace(
    SECTION,
    model="Tag",
    conditions=(
        *_NAMED,
        "articles={pk}",
        "articles__title={name}",
        "articles__isnull=True",
        "pk={pk}, articles__tags__name={name}",
    ),
    derived=(".annotate(n=Count('articles'))", ".annotate(n=Sum('articles__views'))"),
    others=("Tag.objects.filter(name={name})",),
)
THROUGH = Words(
    "ArticleTag",
    conditions=(
        "article={pk}",
        "tag={pk}",
        "article={pk}, tag={pk}",
        "tag__name={name}",
        "article__title={name}",
    ),
    orders=("'article', 'tag'", "'-tag', 'article'"),
    shapes=(".values_list('article', 'tag')", ".values('article__title', 'tag__name')"),
    many=(".values_list('tag', flat=True)",),
    sums=("n=Count('article')", "n=Max('tag')"),
    late=("'tag', 'article'",),
)
ASSET = Words(
    "Asset",
    conditions=(
        *(
            "pk={asset}",
            "pk={asset}",
            "pk=str({asset})",
            "pk__in=[{asset}, {asset}]",
            "path={name}",
            "article={pk}",
            "article_id={pk}",
        ),
        *(
            "article__title={name}",
            "article__isnull=True",
            "article__section__name={name}",
            "article__in=[{id}, {id}]",
        ),
    ),
    orders=("'pk'", "'path', 'pk'", "'-article__title', 'pk'"),
    derived=(".annotate(n=F('article__title'))", ".annotate(n=F('article__section__name'))"),
    shapes=(
        ".select_related('article')",
        ".select_related('article__section')",
        ".only('path')",
        ".values('pk', 'article__title')",
        ".prefetch_related('article')",
    ),
    many=(".values_list('path', flat=True)",),
    sums=("n=Count('pk')", "n=Max('article__views')"),
    others=("Asset.objects.filter(path={name})",),
    late=("'path', 'pk'",),
)
COUNTRY = Words("Country", conditions=("pk={code}", "pk={code}", "code__in=[{code}, {code}]", "name={name}"))
TOPIC = Words(
    "Topic",
    conditions=(
        *(
            *_NAMED,
            "parent={pk}",
            "parent_id={pk}",
            "parent__name={name}",
            "parent__parent__name={name}",
            "children__name={name}",
        ),
        *(
            "parent__isnull=True",
            "children={pk}",
            "pk={pk}, parent__name={name}",
            "pk={pk}, children__isnull=True",
            "parent=F('pk')",
        ),
    ),
    orders=(*Words.orders, "'parent__name', 'pk'"),
    derived=(".annotate(n=F('parent__name'))", ".annotate(n=Count('children'))"),
    shapes=(
        *Words.shapes,
        ".select_related('parent')",
        ".select_related('parent__parent')",
        ".prefetch_related('children')",
    ),
    others=("Topic.objects.filter(name={name})",),
)
SUMMARY = Words(
    "SectionSummary", conditions=("pk={pk}", "views={views}"), shapes=(".values('pk', 'articles')",)
)

WORDS = {
    each.model: each
    for each in (ARTICLE, POPULAR, COLUMN, SECTION, AUTHOR, TAG, THROUGH, ASSET, COUNTRY, TOPIC, SUMMARY)
}

STARTS: tuple[tuple[str, str], ...] = (
    *[("Article.objects", "Article")] * 8,
    *[("Section.objects", "Section")] * 3,
    *[("Column.objects", "Column")] * 2,
    *[("Tag.objects", "Tag")] * 2,
    *[("Topic.objects", "Topic")] * 2,
    *[("Asset.objects", "Asset")] * 2,
    *[
        (f"{name}.objects", name)
        for name in ("Author", "PopularArticle", "ArticleTag", "Country", "SectionSummary")
    ],
    ("of(Section, {two}, 'articles')", "Article"),
    ("of(Author, {two}, 'articles')", "Article"),
    ("of(Author, {two}, 'articles')", "Article"),
    ("of(Article, {id}, 'tags')", "Tag"),
    ("of(Tag, {id}, 'articles')", "Article"),
    ("of(Article, {id}, 'assets')", "Asset"),
    ("of(Topic, {id}, 'children')", "Topic"),
)
"""Where a queryset begins, and the model whose words go on."""
