# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from hypothesis import HealthCheck, settings

# how fast a machine is, and what else it does, is no fault of what is tested; the same examples are drawn everywhere
settings.register_profile("any machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


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


@pytest.fixture(scope="session")
def every_check():
    """`every_check(n, seed)` is a report with what every installed check finds in its own example."""
    from monai_ethics.evidence import EvidenceReport
    from monai_ethics.registry import load_check, registered

    known = {}

    def found(n, seed):
        if (n, seed) not in known:
            checks = [load_check(name) for name in registered()]
            findings = [check()(check.example(n, seed)) for check in checks]
            known[n, seed] = EvidenceReport(
                created="2026-03-02T09:14:00Z", tool="monai_ethics", environment={}, inputs={}, findings=findings
            )
        return known[n, seed]

    return found


ABORTED = "terminate called without an active exception"


@pytest.fixture(scope="session")
def past_abort():
    """`past_abort(start)` repeats `start(attempt)` if gloo aborted a process as it ended, with us or without us.

    Nothing else is repeated: a run that fails for any other reason fails at once.
    """

    def again(start, *, most=5):
        for attempt in range(most):
            done = start(attempt)
            if done.returncode == 0 or ABORTED not in f"{done.stdout}{done.stderr}":
                break
            print(f"torch aborted a process as it ended: attempt {attempt + 1} of {most}")
        return done

    return again
