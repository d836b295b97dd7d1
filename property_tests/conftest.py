"""How long Hypothesis searches.

``HYPOTHESIS_PROFILE`` is ``dev`` (the default), ``ci`` (the same examples each time), ``short`` (fewer of them, for a
second pair of Python and Django), ``nightly`` (long) or ``mutants`` (see ``mutants.py``).
"""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings

# A loaded machine makes one example slow; that is no finding.
settings.register_profile("dev", max_examples=50, stateful_step_count=30, deadline=None)
settings.register_profile(
    "ci",
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
)
settings.register_profile("short", settings.get_profile("ci"), max_examples=30)
settings.register_profile(
    "nightly",
    max_examples=5000,
    stateful_step_count=100,
    deadline=timedelta(seconds=30),
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
# Only whether anything is found counts, not the shortest way to it.
settings.register_profile(
    "mutants", settings.get_profile("ci"), max_examples=300, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
