"""Kinds of models that the news has none of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = "import django; django.setup(); from tests.fingerprints.odd_models import check; check()"
ROOT = Path(__file__).resolve().parent.parent.parent


def test_queries_of_odd_models_have_fingerprints_of_their_own() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.fingerprints.odd_settings"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
