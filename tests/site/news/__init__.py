"""A small news site, with one model for every kind of model that Django has."""
