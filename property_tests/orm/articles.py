"""What can be said of articles, of a proxy of theirs, and of columns, which are articles in two tables."""

from __future__ import annotations

from dataclasses import replace

from property_tests.orm.words import Words

ARTICLE = Words(
    "Article",
    conditions=(
        *("pk={pk}", "pk={pk}", "pk={pk}", "id={pk}", "pk__in=[{id}, {id}]", "pk__in=({id},)", "pk__gt={id}"),
        *(
            "section={two}",
            "section={two}",
            "section_id={two}",
            "section__in=[{two}, {two}]",
            "section__pk={two}",
        ),
        *("author={two}", "author_id={two}", "author={two}, section={two}", "author=one(Author, {two})"),
        *(
            "views={views}",
            "views={views}",
            "views__gte={views}",
            "views__in=[{views}, {views}]",
            "views='1'",
        ),
        *(
            "title={name}",
            "title={name}",
            "title__in=[{name}, {name}]",
            "title__startswith={name}",
            "title__iexact={name}",
        ),
        *("section__name={name}", "author__name={name}", "section__name__in=[{name}, {name}]"),
        *(
            "score={score}",
            "published={when}",
            "published__gte={when}",
            "published__date={day}",
            "published__year=2024",
        ),
        *(
            "tags={id}",
            "tags__name={name}",
            "tags__isnull=True",
            "tags__isnull=False",
            "tags__in=[{id}, {id}]",
        ),
        *("assets__path={name}", "assets__isnull=True", "column__series={name}", "column__isnull=True"),
        *(
            "section__articles__views={views}",
            "author__articles={pk}",
            "pk={pk}, section__articles__title={name}",
        ),
        *(
            "pk={pk}, tags__articles__views={views}",
            "section=F('author')",
            "views=F('id')",
            "pk={pk}, views={views}",
        ),
        *(
            "Q(pk={pk}) | Q(views={views})",
            "Q(views={views}) | Q(section__name={name})",
            "~Q(tags={id})",
            "~Q(pk={pk})",
        ),
        *(
            "Q(section={two}) & Q(views={views})",
            "Q(pk={pk}) & ~Q(title={name})",
            "Q(pk={pk}) ^ Q(views={views})",
        ),
        *(
            "pk__in=Article.objects.filter(views={views})",
            "pk__in=Column.objects.filter(series={name}).values('pk')",
        ),
        *(
            "pk={pk}, section__in=Section.objects.filter(name={name})",
            "author__in=Author.objects.filter(articles__views={views})",
        ),
        *(
            "Exists(Article.objects.filter(pk={pk}, views={views}))",
            "Exists(Asset.objects.filter(article=OuterRef('pk')))",
        ),
        *("pk={pk}, views__in=Article.objects.filter(title={name}).values('views')", "pk=Value({id})"),
    ),
    orders=(
        "'pk'",
        "'-pk'",
        "'title', 'pk'",
        "'-views', 'pk'",
        "'views', '-pk'",
        "'section__name', 'pk'",
        "F('views').desc(), 'pk'",
    ),
    derived=(
        *(
            ".annotate(n=Count('tags'))",
            ".annotate(m=Count('tags'))",
            ".annotate(n=Count('tags', filter=Q(tags__name={name})))",
        ),
        *(
            ".annotate(n=F('section__name'))",
            ".annotate(n=F('author__name'))",
            ".alias(n=Count('tags')).filter(n=1)",
        ),
        *(".annotate(n=Count('tags')).filter(n={two})", ".annotate(n=Value(1))", ".annotate(n=Value('1'))"),
        ".annotate(n=Subquery(Tag.objects.filter(articles=OuterRef('pk')).order_by('pk').values('name')[:1]))",
        ".annotate(n=Exists(Article.objects.filter(section=OuterRef('section'), views={views})))",
        ".annotate(n=Case(When(views={views}, then=Value('yes')), default=Value('no')))",
        ".annotate(n=TruncDate('published'))",
        ".annotate(n=ExtractHour('published'))",
        ".annotate(n=Window(Count('pk'), partition_by='section'))",
        ".annotate(n=Lower('author__name'))",
        ".annotate(n=Coalesce(F('column__series'), Value({name})))",
        ".annotate(n=FilteredRelation('tags', condition=Q(tags={id}))).filter(n__name={name})",
        ".extra(where=['news_article.views = %s'], params=[{views}])",
        ".extra(select=dict(n='news_article.views + 1'))",
    ),
    shapes=(
        *(
            ".select_related('section')",
            ".select_related('author')",
            ".select_related('section', 'author')",
            ".select_related('column')",
        ),
        *(
            ".only('title')",
            ".only('views')",
            ".defer('body')",
            ".defer('title', 'body')",
            ".select_related('author').only('title', 'author__name')",
        ),
        *(
            ".values('pk', 'title')",
            ".values('title', 'pk')",
            ".values_list('pk', 'title')",
            ".values_list('pk', 'views')",
            ".values_list('pk', flat=True)",
        ),
        *(
            ".values('pk', 'section__name')",
            ".values_list('pk', 'title', named=True)",
            ".values('pk', n=F('views'))",
            ".values('pk', m=F('views'))",
        ),
        *(
            ".prefetch_related('tags')",
            ".prefetch_related('section')",
            ".prefetch_related('assets')",
            ".prefetch_related('tags__articles')",
        ),
        *(
            ".prefetch_related(Prefetch('tags', Tag.objects.filter(name={name})))",
            ".prefetch_related(Prefetch('tags', Tag.objects.order_by('-pk'), 'found'))",
        ),
        ".reverse()",
    ),
    many=(
        *(
            ".values('tags__name')",
            ".values_list('title', flat=True)",
            ".values('section').annotate(n=Count('pk'))",
            ".values_list('views')",
        ),
        *(
            ".values('section__name').annotate(n=Sum('views'))",
            ".dates('published', 'day')",
            ".datetimes('published', 'hour')",
            ".values('assets__path', 'pk')",
        ),
    ),
    sums=(
        *(
            "Sum('views')",
            "n=Sum('views')",
            "m=Sum('views')",
            "n=Max('views')",
            "n=Count('tags')",
            "n=Count('tags', distinct=True)",
        ),
        *(
            "n=Max('section__name')",
            "n=Count('pk', filter=Q(views={views}))",
            "n=Sum('views', default=0)",
            "n=Max('tags__name')",
            "n=Max('published')",
        ),
    ),
    others=(
        "Article.objects.filter(views={views})",
        "Article.objects.filter(pk={pk})",
        "Article.objects.filter(tags__name={name})",
        "Article.objects.none()",
    ),
    late=("'views', 'pk'", "'published', 'pk'"),
)
POPULAR = replace(ARTICLE, model="PopularArticle", others=("PopularArticle.objects.filter(pk={pk})",))
COLUMN = replace(
    ARTICLE,
    model="Column",
    conditions=(
        *(
            "pk={pk}",
            "pk={pk}",
            "id={pk}",
            "article_ptr={pk}",
            "pk__in=[{id}, {id}]",
            "series={name}",
            "series={name}",
        ),
        *(
            "title={name}",
            "views={views}",
            "section={two}",
            "section__name={name}",
            "tags__name={name}",
            "pk={pk}, title={name}",
        ),
        *(
            "series={name}, title={name}",
            "article_ptr__title={name}",
            "pk={pk}, section__articles__views={views}",
        ),
    ),
    derived=(".annotate(n=Count('tags'))", ".annotate(n=F('section__name'))", ".annotate(n=F('views') + 1)"),
    shapes=(
        *(
            ".select_related('section')",
            ".select_related('article_ptr')",
            ".only('series')",
            ".only('title')",
            ".defer('title')",
        ),
        *(
            ".values('pk', 'series')",
            ".values('pk', 'title')",
            ".values_list('pk', 'title')",
            ".prefetch_related('tags')",
        ),
    ),
    many=(".values_list('series', flat=True)", ".values('tags__name')"),
    others=("Column.objects.filter(series={name})",),
)
