"""Addresses of the news site."""

from __future__ import annotations

from django.urls import path
from news import views

urlpatterns = [
    path("", views.index),
    path("articles/<int:pk>/", views.article),
    path("import/", views.import_feed),
    path("recount/", views.recount),
]
