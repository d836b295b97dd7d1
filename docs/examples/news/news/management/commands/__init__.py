"""Commands of the news site."""
