# SPDX-License-Identifier: Apache-2.0
import importlib.util
import json
from pathlib import Path

import pytest

from monai_ethics.provenance.log.reading.entries import read_report

pytestmark = pytest.mark.dist
WORKER = Path(__file__).with_name("synthesis_ranks.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, warm):
    folder = tmp_path_factory.mktemp("ranks")
    done = warm([WORKER, folder], env={"MONAI_ETHICS_KEY_HOME": str(folder / "keys")}, ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone():
    spec = importlib.util.spec_from_file_location("synthesis_ranks", WORKER)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    return json.loads(json.dumps(worker.everything()))


@pytest.mark.parametrize("case", ["noise", "stop"])
def test_two_processes_share_the_images_and_see_what_one_sees(ranks, alone, case):
    for seen in ranks[1]:
        assert seen[case]["looks"] == alone[case]["looks"]
        assert seen[case]["metrics"] == pytest.approx(alone[case]["metrics"])
        assert seen[case]["epoch"] == alone[case]["epoch"]


def test_images_of_an_inference_that_a_sampler_repeats_count_once(ranks, alone):
    assert alone["inferred"]["synthesis_images"] == 7
    for seen in ranks[1]:
        assert seen["inferred"] == pytest.approx(alone["inferred"])


def test_both_processes_stop_at_the_same_alarm(ranks):
    assert [seen["stop"]["epoch"] for seen in ranks[1]] == [1, 1]


def test_a_sampler_that_fails_on_one_process_holds_up_neither(ranks):
    for seen in ranks[1]:
        assert seen["one rank fails"]["epoch"] == 2
        assert [look["images"] for look in seen["one rank fails"]["looks"]] == [12, 12]  # of process 0


def test_a_network_wrapped_for_several_processes_is_sampled(ranks):
    first, second = (seen["parallel"] for seen in ranks[1])
    assert first == second
    assert [look["images"] for look in first["looks"]] == [21, 21]


def test_the_evidence_of_process_0_has_the_findings(ranks):
    found = {finding.check: finding for finding in read_report(ranks[0] / "evidence").findings}
    assert found["synthesis.memorization_looks"].accounting["looks_judged"] == 2
    assert found["synthesis.memorization_membership"].accounting["synthetic_images"] == 8
