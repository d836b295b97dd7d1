"""``python -m genscache``: commands that need no project."""

from __future__ import annotations

import sys

from genscache.demo.command import main

if __name__ == "__main__":
    sys.exit(main())
