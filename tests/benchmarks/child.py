"""One process of a benchmark: does a part as it was told, and prints what it found as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.benchmarks.measuring import rounded
from tests.benchmarks.orders import Orders
from tests.benchmarks.saying import tell


def main() -> None:
    """Do it."""
    orders = Orders.given()
    if orders.part == "counts":
        from tests.reads.wire import Wire  # noqa: PLC0415 - where it is needed

        wire = Wire(orders.store)
        # The proxy's address has to be in the settings before Django reads them.
        import os  # noqa: PLC0415

        from tests.benchmarks.orders import VARIABLE  # noqa: PLC0415

        upstream = orders.store
        orders = replace(orders, store=wire.url)
        os.environ.update({VARIABLE: orders.environment()[VARIABLE]})
        orders.options.update({"wire": wire, "upstream": upstream})

    import django  # noqa: PLC0415 - the settings are ready now

    django.setup()
    from tests.benchmarks import breakdown, deeds, growth, invalidation, mixed, parts, world  # noqa: PLC0415 - these need Django

    place = world.World(orders)
    homes = (parts, deeds, mixed, invalidation, growth, breakdown)
    part = next(found for home in homes if (found := getattr(home, orders.part, None)))
    tell(json.dumps(rounded(part(place))))


if __name__ == "__main__":
    main()
