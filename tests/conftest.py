# SPDX-License-Identifier: Apache-2.0
import json

import pytest


@pytest.fixture(scope="session")
def rendered():
    """`rendered(report, integrity=None)` renders an equal report once: drawing is what takes the time."""
    from monai_ethics.reporting.render import render

    known = {}

    def files(report, *, integrity=None):
        key = json.dumps([report.to_dict(), integrity], sort_keys=True)
        if key not in known:
            known[key] = render(report, integrity=integrity)
        return known[key]

    return files
