"""The app's name."""

from __future__ import annotations

from django.apps import AppConfig


class ExtrasConfig(AppConfig):
    """Tell Django where the app is and what its label is."""

    name = "tests.matrix.extras"
    label = "extras"
