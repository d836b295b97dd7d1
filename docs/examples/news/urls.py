"""Addresses of the news site."""

# ruff: noqa: INP001 - a project's folder is no package
from __future__ import annotations

from django.urls import path
from news import views

urlpatterns = [
    path("", views.index),
    path("articles/<int:pk>/", views.article),
    path("import/", views.import_feed),
    path("recount/", views.recount),
]
