"""The view under ``SectionSummary``, which Django does not make."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

VIEW = """
CREATE VIEW news_sectionsummary AS
SELECT s.id AS id, s.name AS name, COUNT(a.id) AS articles, COALESCE(SUM(a.views), 0) AS views
FROM news_section s LEFT JOIN news_article a ON a.section_id = s.id
GROUP BY s.id, s.name
"""


def create_view(connection: BaseDatabaseWrapper) -> None:
    """Make the view in a database that has the tables."""
    with connection.cursor() as cursor:
        cursor.execute(VIEW)
