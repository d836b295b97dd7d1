"""One run in a process of its own: ``python -P -m tests.matrix.child``, told by the environment; JSON goes out."""

from __future__ import annotations

import json
import os
import sys
import warnings

import django


def main() -> None:
    """Make the database, play, and print what was found."""
    if os.environ.get("PYTHONWARNINGS") is None:
        warnings.simplefilter("error")
    django.setup()
    from tests.matrix.orders import Orders  # noqa: PLC0415 - Django is set up now
    from tests.matrix.play import play  # noqa: PLC0415
    from tests.matrix.rows import seed  # noqa: PLC0415
    from tests.matrix.schema import create, drop  # noqa: PLC0415

    orders = Orders.given()
    create(orders)
    try:
        seed()
        found = play(orders)
    finally:
        drop(orders)
    json.dump(found.as_json(), sys.stdout)


if __name__ == "__main__":
    main()
