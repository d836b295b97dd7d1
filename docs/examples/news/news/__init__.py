"""The app of the news site."""
