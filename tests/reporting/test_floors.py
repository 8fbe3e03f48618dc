# SPDX-License-Identifier: Apache-2.0
from xml.etree import ElementTree

import pytest

from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.reporting.plots import pictures

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def estimate(name, value, *, group=None, ends=True):
    interval = {"low": value - 0.1, "high": value + 0.1, "level": 0.95, "method": "jackknife"} if ends else {}
    return Estimate(
        name=name,
        value=value,
        unit="1",
        n=60,
        n_unit="patients",
        estimand="at this number of images",
        group=group or {},
        reason=None if ends else "a description",
        **interval,
    )


def finding(*estimates):
    return Finding(
        check="synthesis.fidelity",
        title="How far?",
        stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED,
        statement="So far.",
        estimates=estimates,
    )


def texts(picture):
    return [node.text for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


def test_a_statistic_stands_beside_its_floor_on_its_own_scale():
    rows = [estimate("kid", 0.2), estimate("kid_floor", 0.001), estimate("kid_excess", 0.199), estimate("recall", 0.9)]
    drawn = pictures(finding(*rows), salt="a")
    assert [picture.title for picture in drawn] == ["synthetic beside real images"]
    shown = texts(drawn[0])
    assert "kid" in shown
    assert "recall" not in shown, "without a floor there is nothing to compare with"
    assert "0.200" in shown
    assert "0.001" in shown


def test_spaces_are_rows_and_equal_input_gives_equal_bytes():
    rows = [
        estimate(name, value, group={"space": space}, ends=False)
        for space in ("raw pixels", "<b>conv</b>")
        for name, value in (("coverage", 0.5), ("coverage_floor", 0.9))
    ]
    first, second = (pictures(finding(*rows), salt="a") for _ in range(2))
    assert first == second
    assert len(first) == 1
    assert "space: raw pixels" in texts(first[0])
    assert texts(first[0]).count("coverage") == 2
    assert "<b>" not in first[0].svg
