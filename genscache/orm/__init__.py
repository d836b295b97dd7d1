"""The edge to Django's ORM: what a statement does, which rows it names, and the managers that cache."""
