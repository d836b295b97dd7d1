"""The tables of a soak, and their first rows."""

from __future__ import annotations

from django.core.management import call_command

from tests.site.news.models import Article, Asset, Author, Country, Section, Tag
from tests.soak.slots import ARTICLES, ASSETS, AUTHORS, COUNTRIES, SECTIONS, asset_key, country_key


def create() -> None:
    """Make tables and rows; every version is 1."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    Section.objects.bulk_create([Section(pk=key, name=f"section {key}") for key in range(1, SECTIONS + 1)])
    Author.objects.bulk_create([Author(pk=key, name="1") for key in range(1, AUTHORS + 1)])
    for key in range(1, ARTICLES + 1):
        article = Article.objects.create(
            pk=key,
            title=f"article {key}",
            section_id=key % SECTIONS + 1,
            author_id=key % AUTHORS + 1,
            views=1,
        )
        article.tags.add(Tag.objects.create(name=f"{key}:1"))
    Asset.objects.bulk_create([Asset(pk=asset_key(index), path="1") for index in range(ASSETS)])
    Country.objects.bulk_create([Country(pk=country_key(index), name="1") for index in range(COUNTRIES)])
