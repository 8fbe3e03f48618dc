# SPDX-License-Identifier: Apache-2.0
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

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


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """`warm(words)` runs `python *words` as `subprocess.run` does, in a fork of a process that has imported MONAI.

    Of several `ranks` each is told which it is and where they meet, as torchrun does; what they print is one text.
    `warm.py` says what a fork does not share with a cold start.
    """
    program = [sys.executable, str(Path(__file__).with_name("warm.py"))]
    with subprocess.Popen(program, env=_plain(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:

        def run(words, *, cwd=".", env=None, ranks=1):
            folder = tmp_path_factory.mktemp("told")
            told = [folder / "stdout", folder / "stderr"]
            for path in told:
                path.touch()
            own = _plain() | (env or {}) | (_meeting(ranks) if ranks > 1 else {})
            job = {"words": list(map(str, words)), "cwd": str(Path(cwd).absolute()), "env": own, "ranks": ranks}
            print(json.dumps({**job, "told": list(map(str, told))}), file=server.stdin, flush=True)
            codes = json.loads(server.stdout.readline())
            return subprocess.CompletedProcess(words, max(codes, key=abs), *(path.read_text() for path in told))

        yield run


def _plain():
    """The environment of now, without what pytest was told about warnings."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"} | {"OMP_NUM_THREADS": "1"}


def _meeting(ranks):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(one.getsockname()[1]), "WORLD_SIZE": str(ranks)}
