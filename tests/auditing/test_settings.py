"""What the settings of the auditor and of enforced leases refuse, and what the checks say of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from genscache import conf
from genscache.checks import check_engine

REDIS = {"STORE": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("AUDIT", 2, "must be a number from 0 to 1, got 2. Use 0.001."),
        ("AUDIT", -0.1, "must be a number from 0 to 1"),
        ("AUDIT", True, "must be a number from 0 to 1"),
        ("AUDIT", "all", "must be a number from 0 to 1"),
        ("AUDIT", float("nan"), "must be a number from 0 to 1"),
        ("AUDIT_EXCEPT", "news.*", r"must be a list of texts"),
        ("ENFORCE_LEASES", 1, "must be True or False, got 1"),
    ],
)
def test_what_is_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        conf.Settings.of({key: value})


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({**REDIS, "ENFORCE_LEASES": True, "AUDIT": 1}, set()),
        ({**REDIS, "ENFORCE_LEASES": True, "LEASE": 0}, {"genscache.W011"}),
        ({**REDIS, "AUDIT": 0.5, "LEASE": 0}, {"genscache.W012"}),
    ],
)
def test_what_makes_no_difference_is_said(settings: Settings, options: dict[str, Any], ids: set[str]) -> None:
    settings.GENSCACHE = options
    assert {str(each.id) for each in check_engine()} - {"genscache.W008"} == ids
