"""The kinds of models that the news site does not have, since they need ``contenttypes``, or a trigger."""
