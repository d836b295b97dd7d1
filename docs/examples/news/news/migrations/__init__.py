"""The tables of the news site."""
