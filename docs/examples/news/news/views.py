"""Pages that are cached, and writes after which they are right at once."""

from __future__ import annotations

import json

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from genscache import batch_invalidations, cached, invalidate_model, obj, stats
from news.models import Article, Author


@cached(timeout=300)
def newest(limit: int) -> list[tuple[str, str]]:
    """Return titles with authors. The tables that it reads are found while it runs: Article and Author."""
    articles = Article.objects.select_related("author").order_by("-pk")[:limit]
    return [(each.title, each.author.name) for each in articles]


@cached(timeout=300, depends_on=lambda pk: [obj(Article, pk)])
def title(pk: int) -> str | None:
    """Return one title. Writing another article leaves this entry alone."""
    return Article.objects.filter(pk=pk).values_list("title", flat=True).first()


def index(_: HttpRequest) -> HttpResponse:
    """Show the newest articles, and how often the cache has answered in this process."""
    lines = [f"{title} ({author})" for title, author in newest(10)]
    counts = stats()
    lines += ["", f"{counts.get('hit', 0)} hits, {counts.get('miss', 0)} misses"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def article(_: HttpRequest, pk: int) -> HttpResponse:
    """Show one title."""
    found = title(pk)
    return HttpResponse(found or "", status=404 if found is None else 200, content_type="text/plain")


@csrf_exempt
@require_POST
def import_feed(request: HttpRequest) -> HttpResponse:
    """Store many articles; all that they invalidate is sent to the store in one round trip."""
    feed = json.loads(request.body)
    with batch_invalidations(), transaction.atomic():
        for row in feed:
            author, _ = Author.objects.get_or_create(name=row["author"])
            Article.objects.create(title=row["title"], author=author)
    return JsonResponse({"imported": len(feed)})


@csrf_exempt
@require_POST
def recount(_: HttpRequest) -> HttpResponse:
    """Write past Django, as another service would, and tell genscache."""
    connection.ensure_connection()
    connection.connection.execute("UPDATE news_article SET title = title || '!'")
    invalidate_model(Article)
    return JsonResponse({"recounted": True})
