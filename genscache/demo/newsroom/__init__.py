"""The Django app of the demo: a small news site."""
