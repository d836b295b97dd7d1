"""The Django project that the tests use."""
