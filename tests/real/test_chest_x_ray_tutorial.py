# SPDX-License-Identifier: Apache-2.0
"""The tutorial on chest X-rays, word for word, and whether the report says what is true."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from monai_ethics.__main__ import main

pytestmark = [pytest.mark.real, pytest.mark.slow]
PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "chest-x-rays-by-group.md"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    if not os.environ.get("MONAI_ETHICS_NIH_TABLE", "").endswith(".whl"):
        pytest.skip("set MONAI_ETHICS_NIH_TABLE to the wheel of torchxrayvision 1.5.7")
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MONAI_ETHICS_KEY_HOME", str(folder / "keys"))
        names = {"__name__": "page"}
        for language, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            if language == "python":
                exec(compile(body, PAGE.name, "exec"), names)
            for line in body.replace("\\\n", " ").splitlines() if language == "sh" else ():
                if line.startswith("monai-ethics "):
                    assert main(shlex.split(line)[1:]) == 0
    return json.loads((folder / "evidence" / "report.json").read_text(encoding="utf-8"))["findings"]


def gap(findings, quantity, attribute):
    (found,) = [f for f in findings if f["subjects"] == [f"effusion_{quantity}", attribute]]
    return {item["name"]: item["value"] for item in found["estimates"] if not item["group"]}


def test_what_was_planted_is_found(findings):
    assert gap(findings, "tpr", "sex")["p_adjusted"] < 0.05
    assert gap(findings, "auc", "sex")["p_adjusted"] < 0.05


@pytest.mark.parametrize(("quantity", "attribute"), [("auc", "view"), ("fpr", "sex"), ("fpr", "view")])
def test_what_was_not_planted_is_not_found(findings, quantity, attribute):
    assert gap(findings, quantity, attribute)["p_adjusted"] > 0.05


def test_predictive_values_follow_the_prevalence_of_a_view(findings):
    assert gap(findings, "ppv", "view")["p_adjusted"] < 0.05
    (rates,) = [f for f in findings if f["check"] == "fairness.group_rates"]
    at = {
        (item["name"], item["group"].get("view")): item["value"]
        for item in rates["estimates"]
        if item["name"] in ("ppv", "ppv_at_reference_prevalence")
    }
    raw = at["ppv", "AP"] - at["ppv", "PA"]
    left = at["ppv_at_reference_prevalence", "AP"] - at["ppv_at_reference_prevalence", "PA"]
    assert raw > 0.1
    assert abs(left) < 0.02


def test_every_patient_is_counted_once(findings):
    (who,) = [f for f in findings if f["check"] == "fairness.representation"]
    assert next(e["value"] for e in who["estimates"] if e["name"] == "patients" and not e["group"]) == 30_805
