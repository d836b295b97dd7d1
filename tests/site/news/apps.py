"""The app's name."""

from __future__ import annotations

from django.apps import AppConfig


class NewsConfig(AppConfig):
    """Tell Django where the app is and what its label is."""

    name = "tests.site.news"
    label = "news"
