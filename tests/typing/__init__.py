"""What type checkers make of the public names: read by mypy (``make types``), never run."""
