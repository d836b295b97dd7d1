"""Every kind of query against every kind of write: ``python -m tests.matrix`` prints where an answer is stale."""
