# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from monai_ethics.provenance.consent.registry import UNKNOWN, ConsentRegistry, Will
from monai_ethics.provenance.consent.statements import Consent

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path):
    return ConsentRegistry(tmp_path / "site", clock=lambda: NOW)


@pytest.fixture
def will():
    """`will(person, *purposes, ...)`: what a person said."""

    def make(person, *purposes, **more):
        return Will(person=person, consent=Consent(subject=UNKNOWN, purposes=purposes or ("training",), **more))

    return make
