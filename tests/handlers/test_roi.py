# SPDX-License-Identifier: Apache-2.0
"""The size of the reference is noted as case mix: described, compared only when asked for by name."""

import json

import pytest
import torch
from monai.data import MetaTensor
from monai.handlers import HausdorffDistance, MeanDice, from_engine

from monai_ethics.handlers import StratifiedScores, attach
from monai_ethics.handlers._presence import PresenceTap
from monai_ethics.handlers._roi import size_bands
from monai_ethics.provenance.log.reading.entries import read_private, read_report

PAIR = from_engine(["pred", "label"])


def items(toy, n=36):
    made = []
    for i in range(n):
        label = toy.square(0 if i == n - 1 else 1 + i % 12)
        name = f"/data/sub-{i:02d}/image.nii.gz"
        made.append(
            {
                "image": MetaTensor(label.clone(), meta={"filename_or_obj": name}),
                "label": MetaTensor(label, meta={"filename_or_obj": name}),
                "sex": "FM"[i % 2],
            }
        )
    return made


def test_sizes_are_in_thirds_with_printed_edges_and_cases_without_a_reference_apart(toy):
    scores = StratifiedScores()
    evaluator = toy.evaluator(items(toy), handlers=[scores])
    evaluator.run()
    (table,) = scores.tables
    bands = table.groups["roi_size_band"]
    assert bands[:12] == ("(0, 34) voxels",) * 4 + ("[34, 64) voxels",) * 3 + ("[64, inf) voxels",) * 5
    assert bands[-1] == "no reference"
    assert list(evaluator.state.metrics) == ["val_mean_dice"]


def test_loggers_are_shown_the_users_groups_only(toy):
    evaluator = toy.evaluator(items(toy), handlers=[StratifiedScores(attributes=["sex"])])
    evaluator.run()
    assert {key for key in evaluator.state.metrics if "roi" in key} == set()
    assert "val_mean_dice_sex_F" in evaluator.state.metrics


def test_with_fewer_than_thirty_patients_nothing_is_said(toy):
    scores = StratifiedScores()
    toy.evaluator(items(toy, 30), handlers=[scores]).run()  # one of them has no reference
    assert scores.tables[0].groups == {}
    assert size_bands([5] * 40, [f"p{i // 2}" for i in range(40)]) == {}


def test_an_attribute_of_that_name_is_the_users_own(toy):
    made = items(toy)
    for item in made:
        item["roi_size_band"] = "small"
    scores = StratifiedScores(attributes=["roi_size_band"])
    toy.evaluator(made, handlers=[scores]).run()
    assert set(scores.tables[0].groups["roi_size_band"]) == {"small"}


@pytest.mark.parametrize("strata", ["sex,roi_size_band", ["sex", "sex*roi_size_band"]])
def test_it_may_be_named_among_the_strata(toy, strata):
    scores = StratifiedScores(attributes=["sex"], strata=strata)
    toy.evaluator(items(toy), handlers=[scores]).run()
    groups = scores.tables[0].groups
    assert {"sex", "roi_size_band"} <= set(groups)
    if not isinstance(strata, str):
        assert groups["sex*roi_size_band"][0] == "F*(0, 34) voxels"


def test_the_background_of_one_hot_masks_and_overlaps_of_classes_do_not_count(toy):
    def sizes(mask, **kwargs):
        tap = PresenceTap(lambda pair: pair, measure=True, **kwargs)
        tap(([mask], [mask]))
        return tap.sizes()

    front = toy.square(4)
    assert sizes(front) == [32]
    assert sizes(torch.cat([1 - front, front])) == [32]
    assert sizes(torch.cat([front, front])) == [32]
    assert sizes(torch.cat([front, toy.square(8)])) == [64]
    assert sizes(torch.cat([toy.square(8), front]), include_background=False) == [32]
    assert sizes(torch.zeros(3)) == [None]
    for kind in (torch.bool, torch.uint8, torch.int64, torch.float16):
        assert sizes(torch.cat([1 - front, front, front]).to(kind)) == [256]
        assert sizes(torch.cat([1 - front, front]).to(kind)) == [32]
        assert sizes(front.to(kind)) == [32]
    assert sizes(front * 3) == [32]  # a class map in one channel


def test_large_references_are_counted_to_the_voxel():
    mask = torch.ones(1, 2**12, 2**12 + 1, dtype=torch.uint8)
    mask[0, 0, 0] = 0
    tap = PresenceTap(lambda pair: pair, measure=True)
    tap(([mask], [mask]))
    assert tap.sizes() == [mask.numel() - 1]


def test_one_metric_measures_for_all(toy):
    scores = StratifiedScores()
    metrics = {
        "val_mean_dice": MeanDice(output_transform=PAIR),
        "val_hd": HausdorffDistance(output_transform=PAIR),
    }
    evaluator = toy.evaluator(items(toy), metrics=metrics, handlers=[scores])
    measured = []
    original = PresenceTap._note

    def note(self, pair):
        measured.append(self.measure)
        original(self, pair)

    PresenceTap._note = note
    try:
        evaluator.run()
    finally:
        PresenceTap._note = original
    assert measured.count(True) == measured.count(False) == 12
    assert all("roi_size_band" in table.groups for table in scores.tables)


def test_the_evidence_describes_the_bands_and_does_not_compare_them(toy, tmp_path):
    evaluator = toy.evaluator(items(toy))
    attach(evaluator, out=tmp_path / "evidence")
    evaluator.run()
    findings = read_report(tmp_path / "evidence").findings
    (described,) = [f for f in findings if f.check == "fairness.group_scores"]
    assert {tuple(e.group) for e in described.estimates} == {(), ("roi_size_band",)}
    assert not [f for f in findings if f.check == "fairness.score_gap"]
    ((_, table),) = read_private(tmp_path / "evidence", "cases")
    header, first = table.decode().splitlines()[:2]
    assert header.split("\t") == ["case", "patient", "roi_size"]
    assert first.endswith("\t8")
    ((_, stored),) = read_private(tmp_path / "evidence", "scores")
    assert "roi_size_band" in json.loads(stored)[0]["groups"]


def test_the_metric_itself_is_not_disturbed(toy):
    seen = toy.evaluator(items(toy))
    seen.run()
    watched = toy.evaluator(items(toy), handlers=[StratifiedScores()])
    watched.run()
    assert watched.state.metrics == seen.state.metrics
