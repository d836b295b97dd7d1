"""Random writes: everything that Django offers to change rows, SQL, and what is told of a change afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from property_tests.orm.templates import one_of
from property_tests.orm.vocabulary import WORDS

_NEW = "Article(pk={id}, title={name}, section_id={two}, author_id={two}, views={views}, published={when})"
_NEW_COLUMN = "Column(pk={id}, title={name}, section_id={two}, author_id={two}, views={views}, series={name})"

OBJECTS: Sequence[str] = (
    f"{_NEW}.save()",
    f"{_NEW}.save(force_insert=True)",
    f"{_NEW_COLUMN}.save()",
    "Section(pk={id}, name={name}).save()",
    "Author(pk={id}, name={name}).save()",
    "Tag(pk={id}, name={name}).save()",
    "Topic(pk={id}, name={name}, parent_id={id}).save()",
    "Asset(pk={asset}, path={name}, article_id={id}).save()",
    "Country(pk={code}, name={name}).save()",
    "changed(Article.objects.get(pk={id}), views={views}).save()",
    "changed(Article.objects.get(pk={id}), title={name}).save()",
    "changed(Article.objects.get(pk={id}), section_id={two}).save(update_fields=['section'])",
    "changed(Article.objects.cache().get(pk={id}), views={views}, title={name}).save(update_fields=['views'])",
    "changed(Article.objects.only('title').get(pk={id}), title={name}).save()",
    "changed(Article.objects.get(pk={id}), views=F('views') + 1).save()",
    "changed(Article.objects.get(pk={id}), pk={id}).save()",
    "changed(Column.objects.get(pk={id}), series={name}).save()",
    "changed(Column.objects.get(pk={id}), title={name}, series={name}).save(update_fields=['title'])",
    "changed(Column.objects.get(pk={id}), views={views}).save()",
    "changed(Column(pk={id}, series={name}), title={name}).save_base(raw=True)",
    "changed(Tag.objects.get(pk={id}), name={name}).save()",
    "changed(Topic.objects.get(pk={id}), parent_id={id}).save()",
    "changed(Asset.objects.get(pk={asset}), article_id={id}).save()",
    "changed(PopularArticle.objects.get(pk={id}), views={views}).save()",
    "Article(pk={id}).delete()",
    "Section(pk={two}).delete()",
    "Author(pk={two}).delete()",
    "Tag(pk={id}).delete()",
    "Topic(pk={id}).delete()",
    "Column.objects.get(pk={id}).delete(keep_parents=True)",
    "Column.objects.get(pk={id}).delete()",
    "Asset(pk={asset}).delete()",
)
QUERIES: Sequence[str] = (
    *["Article.objects.filter({condition}).update({assignment})"] * 6,
    "Article.objects.exclude({condition}).update(views={views})",
    "Article.objects.filter({condition}).delete()",
    "Article.objects.update(views=F('views') + 1)",
    "Article.objects.order_by('-pk').update(views=F('id'))",
    (
        "Article.objects.filter(pk__in=[{id}, {id}]).update("
        "section=Author.objects.filter(pk=OuterRef('author')).values('pk')[:1])"
    ),
    "Section.objects.filter(pk={two}).update(name={name})",
    "Section.objects.filter(name={name}).delete()",
    "Author.objects.update(name={name})",
    "Tag.objects.filter(pk={id}).update(name={name})",
    "Tag.objects.filter(name={name}).delete()",
    "Tag.objects.filter(pk={id}).update(id={id})",
    "Column.objects.filter(pk={id}).update(series={name})",
    "Column.objects.filter(series={name}).update(title={name})",
    "Column.objects.update(title={name}, series={name})",
    "Column.objects.filter(title={name}).update(views={views})",
    "Column.objects.filter(pk={id}).delete()",
    "PopularArticle.objects.update(views={views})",
    "PopularArticle.objects.filter(pk={id}).delete()",
    "Country.objects.filter(pk={code}).update(code={code})",
    "Country.objects.filter(pk={code}).delete()",
    "Country.objects.filter(name={name}).update(name={name})",
    "Topic.objects.filter(pk={id}).update(parent={id})",
    "Topic.objects.filter(parent__isnull=True).delete()",
    "Topic.objects.filter(pk={id}).update(id={id})",
    "Asset.objects.filter(article={id}).update(article={id})",
    "Asset.objects.filter(pk={asset}).update(path={name})",
    "Article.objects.filter(pk={id}).update(id={id})",
    "ArticleTag.objects.filter(tag={id}).update(tag={id})",
    "ArticleTag.objects.filter(article={id}).delete()",
)
MANY: Sequence[str] = (
    f"Article.objects.bulk_create([{_NEW}, {_NEW}])",
    f"Article.objects.bulk_create([{_NEW}, {_NEW}], ignore_conflicts=True)",
    "Tag.objects.bulk_create([Tag(pk={id}, name={name})], ignore_conflicts=True)",
    "Country.objects.bulk_create([Country(pk={code}, name={name})])",
    "Tag.objects.bulk_create([Tag(pk={id}, name={name})], **upsert('name', by='id'))",
    f"Article.objects.bulk_create([{_NEW}, {_NEW}], **upsert('views', 'title', by='id'))",
    (
        "Country.objects.bulk_create([Country(pk={code}, name={name}), Country(pk={code}, name={name})], "
        "**upsert('name', by='code'))"
    ),
    "Article.objects.bulk_update([changed(Article.objects.get(pk={id}), views={views})], ['views'])",
    (
        "Article.objects.bulk_update("
        "[changed(each, section_id={two}) for each in Article.objects.filter(pk__lt=3)], ['section'])"
    ),
    "Article.objects.bulk_update([Article(pk=1, title={name}), Article(pk=2, title={name})], ['title'])",
    "Column.objects.bulk_update([changed(Column.objects.get(pk={id}), series={name})], ['series'])",
    "Tag.objects.get_or_create(name={name}, defaults=dict(pk={id}))",
    "Tag.objects.cache().get_or_create(name={name}, defaults=dict(pk={id}))",
    "Tag.objects.cache().update_or_create(pk={id}, defaults=dict(name={name}))",
    (
        "Article.objects.cache().update_or_create(pk={id}, defaults=dict(views={views}, title={name}), "
        "create_defaults=dict(section_id={two}, author_id={two}))"
    ),
    "Section.objects.cache().get_or_create(name={name}, defaults=dict(pk={id}))",
    "Country.objects.update_or_create(pk={code}, defaults=dict(name={name}))",
    "changed(Section.objects.cache().update_or_create(name={name}, defaults=dict(name={name}))[0], name={name}).save()",
)
RELATIONS: Sequence[str] = (
    *["Article(pk={id}).tags.add({id}, {id})"] * 3,
    *["Article(pk={id}).tags.remove({id})"] * 2,
    *["Article(pk={id}).tags.set([{id}, {id}])"] * 2,
    "Article(pk={id}).tags.clear()",
    "Article(pk={id}).tags.set([{id}], clear=True)",
    "Tag(pk={id}).articles.add({id})",
    "Tag(pk={id}).articles.remove({id})",
    "Tag(pk={id}).articles.set([{id}])",
    "Tag(pk={id}).articles.clear()",
    "Article(pk={id}).tags.create(pk={id}, name={name})",
    "Article(pk={id}).tags.get_or_create(name={name}, defaults=dict(pk={id}))",
    "Column(pk={id}).tags.add({id})",
    "PopularArticle(pk={id}).tags.set([{id}])",
    "Section(pk={two}).articles.add(Article.objects.get(pk={id}))",
    "Section(pk={two}).articles.add(Article.objects.get(pk={id}), bulk=False)",
    "Section(pk={two}).articles.update(views={views})",
    "Author(pk={two}).articles.filter(section={two}).update(author={two})",
    "Article(pk={id}).assets.set(Asset.objects.filter(path={name}))",
    "Article(pk={id}).assets.clear()",
    "Article(pk={id}).assets.remove(*Asset.objects.filter(article={id}))",
    "Topic(pk={id}).children.set(Topic.objects.filter(name={name}))",
    "Topic(pk={id}).children.clear()",
    "Tag(pk={id}).articles.update(views={views})",
)
SQL: Sequence[str] = (
    "sql('UPDATE news_article SET views = views + 1 WHERE id = {id}')",
    "sql('UPDATE news_article SET views = %s WHERE title = %s', [{views}, {name}])",
    "sql('DELETE FROM news_article_tags WHERE article_id = {id}')",
    "sql('UPDATE news_article SET section_id = %s', [{two}], [{two}])",
    "sql('INSERT INTO news_country (code, name) VALUES (%s, %s)', [{code}, {name}])",
    "sql('UPDATE NEWS_ARTICLE SET title = %s', [{name}])",
    "sql('UPDATE news_column SET series = %s WHERE article_ptr_id = {id}', [{name}])",
    "sql('/* */ update news_topic set parent_id = NULL')",
)
TELLING: Sequence[str] = (
    "invalidate_model('news.Article')",
    "invalidate_obj(obj('news.Article', {id}))",
    "invalidate_tables('news_section')",
    "invalidate_all()",
)
ASSIGNMENTS: Sequence[str] = (
    "views={views}",
    "views={views}",
    "views=F('views') + 1",
    "section={two}",
    "author={two}",
    "section={two}, author={two}",
    "title={name}",
    "title={name}, views={views}",
    "score={score}",
    "published={when}",
    "views=F('id')",
    "section=F('author')",
    "views=Case(When(title={name}, then=1), default=2)",
)
ANNOUNCED: Sequence[str] = (
    'untold("UPDATE news_article SET views = {views}"); invalidate_model("news.Article")',
    'untold("UPDATE news_article SET views = {views} WHERE id = 1"); invalidate_obj(obj("news.Article", 1))',
    'untold("UPDATE news_article SET section_id = {two} WHERE id = 1"); invalidate_obj(obj("news.Article", 1))',
    'untold("UPDATE news_section SET name = {name} WHERE id = 1"); invalidate_obj(obj("news.Section", 1))',
    'untold("UPDATE news_tag SET name = {name} WHERE id = 1"); invalidate_tables("NEWS_TAG")',
    'untold("UPDATE news_column SET series = {name}"); invalidate_model("news.Column")',
    'untold("DELETE FROM news_article_tags"); invalidate_tables("news_article_tags")',
    'untold("UPDATE news_author SET name = {name}"); invalidate_all()',
)
"""Writes that nobody sees, and what is told of them at once."""


@st.composite
def writes(draw: st.DrawFn) -> str:
    """Choose a write that the library can see."""
    template = draw(
        st.sampled_from(
            (OBJECTS, OBJECTS, QUERIES, QUERIES, MANY, RELATIONS, RELATIONS, SQL, TELLING)
        ).flatmap(st.sampled_from)
    )
    for hole, templates in (("{condition}", WORDS["Article"].conditions), ("{assignment}", ASSIGNMENTS)):
        if hole in template:
            template = template.replace(hole, draw(st.sampled_from(templates)))
    return draw(one_of((template,)))


announced = one_of(ANNOUNCED)
