# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
import torch

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.features.extract import extract
from monai_ethics.synthesis.features.pixels import PixelExtractor
from monai_ethics.synthesis.features.planted import KINDS, altered, planted_copies
from monai_ethics.synthesis.features.views import View
from monai_ethics.synthesis.memorization_planted import MemorizationPlanted
from monai_ethics.synthesis.methods.planting import MembershipTest, copy_distances

CHECK = MemorizationPlanted(repetitions=40)


def sets(*, n=40, seed=0, **kept):
    rng = np.random.default_rng(seed)
    train, holdout, synthetic = rng.standard_normal((3, n, 12))
    names = {"train_patients": [f"t{i}" for i in range(n)], "holdout_patients": [f"h{i}" for i in range(n)]}
    arrays = {"train": train, "holdout": holdout, "synthetic": synthetic}
    return FeatureSets(**{**arrays, **names, "split_random": True, **kept})


def planted(data, **kinds):
    train = data.train["features"]
    return PlantedCopies(
        sets=data,
        patients=data.train_patients,
        copies={kind: {"features": make(train)} for kind, make in (kinds or {"exact": np.copy}).items()},
    )


def share(finding, kind, k):
    (found,) = [
        estimate
        for estimate in finding.estimates
        if estimate.group == {"copies": kind, "copied_patients": str(k)} and estimate.name == "share_of_alarms"
    ]
    return found


def test_exact_copies_of_enough_patients_are_seen_and_of_too_few_are_not():
    finding = CHECK(planted(sets(), exact=np.copy, far=lambda rows: rows + 50))
    assert share(finding, "exact", 1).value == 0
    assert share(finding, "exact", 10).value == 1
    assert share(finding, "far", 10).value == 0
    assert share(finding, "exact", 10).low < 1
    assert finding.estimates[0].name == "p_value_without_copies"
    assert "exact copies of 1, 3, 5, 10 patients: 0%, " in finding.statement
    assert "never an all-clear" in finding.statement


def test_more_patients_than_were_copied_have_no_share():
    data = sets()
    few = PlantedCopies(
        sets=data, patients=["t0", "t0", "t1"], copies={"exact": {"features": data.train["features"][:3]}}
    )
    estimate = share(CHECK(few), "exact", 3)
    assert estimate.value is None
    assert "copies of only 2 patients" in estimate.reason


def test_flipped_copies_are_seen_by_views_only():
    rng = np.random.default_rng(3)
    train, holdout, made = (torch.as_tensor(rng.random((30, 1, 16, 16))) for _ in range(3))
    extractor, flip = PixelExtractor(size=8, spatial_dims=2), View(flip=(1,))
    for views, least, most in (((), 0.0, 0.1), ((flip,), 0.9, 1.0)):
        found = [extract(images, [extractor], views=views) for images in (train, holdout, made)]
        data = FeatureSets(
            train=found[0].features,
            holdout=found[1].features,
            synthetic=found[2].features,
            synthetic_views=found[2].views,
            train_patients=[f"t{i}" for i in range(30)],
            holdout_patients=[f"h{i}" for i in range(30)],
            split_random=True,
        )
        copies = planted_copies(data, list(train), data.train_patients, [extractor], views=views)
        assert set(copies.copies) == {"exact", "flipped", "shifted", "noisy"}
        finding = CHECK(copies)
        assert least <= share(finding, "flipped", 10).value <= most
        assert share(finding, "exact", 10).value == 1


def test_alterations_change_what_they_say():
    image, back = torch.rand(1, 8, 6, 6), torch.zeros(1, 8, 6, 6)
    made = {kind: altered(image, kind, background=back, seed=1) for kind in KINDS}
    assert torch.equal(made["exact"], image)
    assert torch.equal(made["flipped"].flip(-1), image)
    assert not torch.equal(made["shifted"], altered(torch.rand(1, 64, 64), "shifted"))
    assert 0 < (made["noisy"] - image).std() / image.std() < 0.2
    assert torch.equal(made["slices"][:, 2:6], image[:, 2:6])
    assert made["slices"][:, :2].abs().sum() == 0
    for kind, behind in (("slices", None), ("unknown", back)):
        with pytest.raises(ValueError, match="for slices volumes"):
            altered(image, kind, background=behind)


def test_slices_of_volumes_are_planted_into_synthetic_volumes():
    volumes = [torch.rand(1, 8, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(60)]
    extractor = PixelExtractor(size=8, spatial_dims=3)
    rows = [extract(volumes[i : i + 20], [extractor]).features for i in (0, 20, 40)]
    data = FeatureSets(
        train=rows[0],
        holdout=rows[1],
        synthetic=rows[2],
        train_patients=[f"t{i}" for i in range(20)],
        holdout_patients=[f"h{i}" for i in range(20)],
        split_random=True,
    )
    copies = planted_copies(data, volumes[:20], data.train_patients, [extractor], backgrounds=volumes[40:])
    assert set(copies.copies) == set(KINDS)
    assert share(CHECK(copies), "slices", 10).value > 0.9


@pytest.mark.parametrize(("spaces", "sites"), [(1, False), (3, False), (1, True)])
def test_an_alarm_is_one_of_the_membership_test(spaces, sites):
    rng = np.random.default_rng(4)
    is_member = np.arange(60) < 30
    strata = [str(i % 2) for i in range(60)] if sites else None
    test = MembershipTest(
        is_member=is_member, strata=strata, order_statistics=(1, 5), permutations=999, seed=0, significance=0.05
    )
    seen = set()
    for shift in np.linspace(0, 1.5, 12):
        values = rng.random((60, spaces)) - shift * is_member[:, None] * (rng.random((60, 1)) < 0.15)
        expected = test.p_value(values) <= 0.05
        assert test.alarms(values, test.limit(values)) == expected
        seen.add(expected)
    assert seen == {True, False}


def test_distances_to_copies_are_exact_and_by_patient():
    data = sets(train_patients=[f"t{i // 2}" for i in range(40)], holdout_patients=[f"h{i // 2}" for i in range(40)])
    copies = data.train["features"][:3, None, :]
    patients = sorted({*data.train_patients, *data.holdout_patients})
    found = copy_distances(data, copies, "features", patients)
    assert found[patients.index("t0"), 0] == found[patients.index("t0"), 1] == 0
    direct = np.linalg.norm(data.holdout["features"][:2] - copies[2], axis=1).min()
    assert found[patients.index("h0"), 2] == pytest.approx(direct)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split_random": False}, "not on record"),
        ({"encoder_trained_on_train": True}, "No space of features is left"),
        ({"synthetic": np.random.default_rng(0).standard_normal((3, 40, 12))[0]}, "without planted copies"),
    ],
)
def test_a_broken_condition_is_not_assessable(changes, reason):
    finding = CHECK(planted(sets(**changes)))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert reason in finding.reason
    assert sum(finding.accounting.values()) == 120


def test_copies_that_do_not_fit_are_refused():
    data = sets()
    rows = data.train["features"]
    for patients, copies, message in (
        (["h0"] * 40, {"exact": {"features": rows}}, "of training patients"),
        (data.train_patients, {"exact": {"other": rows}}, "spaces of the sets"),
        (data.train_patients, {"exact": {"features": rows[:, :5]}}, "finite features of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            PlantedCopies(sets=data, patients=patients, copies=copies)


def test_the_finding_is_the_same_whatever_the_order_and_survives_json():
    data = planted(sets(train_sites=["a", "b"] * 20, holdout_sites=["a", "b"] * 20))
    check = MemorizationPlanted(repetitions=5, permutations=99)
    first = check(data)
    again = check(data.reordered(np.random.default_rng(1).permutation(40).tolist()))
    assert first.verdict is Verdict.MEASURED
    assert json.dumps(first.to_dict(), sort_keys=True) == json.dumps(again.to_dict(), sort_keys=True)
    assert Finding.from_dict(json.loads(json.dumps(first.to_dict()))) == first
