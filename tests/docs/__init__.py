"""The documentation as tests: its examples run in a made-up project, and its reference is complete."""
