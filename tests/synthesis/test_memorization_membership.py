# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.protocol import FeatureProtocol
from monai_ethics.synthesis.memorization_membership import MemorizationMembership

CHECK = MemorizationMembership()


def sets(*, copies=0, n=60, noise=1e-3, seed=0, **kept):
    rng = np.random.default_rng(seed)
    train, holdout, synthetic = rng.standard_normal((3, n, 24))
    synthetic[:copies] = train[:copies] + noise * rng.standard_normal((copies, 24))
    names = {"train_patients": [f"t{i}" for i in range(n)], "holdout_patients": [f"h{i}" for i in range(n)]}
    items = {"train_items": [f"x{i}" for i in range(n)], "synthetic_items": [f"s{i}" for i in range(n)]}
    arrays = {"train": train, "holdout": holdout, "synthetic": synthetic}
    return FeatureSets(**{**arrays, **names, **items, "split_random": True, **kept})


def number(finding, name):
    (value,) = [estimate.value for estimate in finding.estimates if estimate.name == name]
    return value


def labels(finding):
    return [observation.label for observation in finding.observations]


def test_copies_raise_an_alarm_and_are_listed():
    finding = CHECK(sets(copies=8))
    assert number(finding, "p_value") < 0.01
    assert number(finding, "closer_patients") >= 8
    assert labels(finding).count("outlying pair") == 8
    assert ("x3", "s3") in [tuple(observation.items) for observation in finding.observations]
    assert "never an all-clear" in finding.statement
    assert finding.seed is None


def test_without_copies_nothing_stands_out():
    finding = CHECK(sets())
    assert number(finding, "p_value") > 0.05
    assert number(finding, "outlying_images") == number(finding, "identical_images") == 0
    assert set(labels(finding)) == {"nearest pair"}


def test_exact_copies_are_identical_by_features_or_by_digest():
    exact = CHECK(sets(copies=4, noise=0))
    assert number(exact, "identical_images") == 4
    marks = {"train_digests": [f"d{i}" for i in range(60)], "synthetic_digests": [None] * 59 + ["d7"]}
    marked = CHECK(sets(**marks))
    assert number(marked, "identical_images") == 1
    (found,) = [item for item in marked.observations if item.label == "identical pair"]
    assert tuple(found.items) == ("x7", "s59")


def test_images_of_the_holdout_among_synthetic_ones_are_counted_and_told_as_what_hides_copies():
    clean = CHECK(sets(copies=4))
    assert number(clean, "identical_to_held_out_images") == 0
    assert "hides copies" not in clean.statement
    data = sets(copies=4)
    mixed = np.concatenate([data.rows("synthetic", data.spaces[0]), data.rows("holdout", data.spaces[0])[:3]])
    found = CHECK(sets(copies=4, synthetic=mixed, synthetic_items=[f"s{i}" for i in range(len(mixed))]))
    assert number(found, "identical_to_held_out_images") == 3
    assert "3 synthetic images repeat a held-out image, which hides copies from this test" in found.statement
    marks = {"holdout_digests": [f"h{i}" for i in range(60)], "synthetic_digests": [None] * 59 + ["h7"]}
    assert number(CHECK(sets(**marks)), "identical_to_held_out_images") == 1


def test_the_same_features_are_the_same_in_another_precision():
    rng = np.random.default_rng(0)
    train, holdout, synthetic = np.maximum(rng.standard_normal((3, 60, 8)), 0).astype(np.float32)
    synthetic[:3] = holdout[:3]
    double = np.where(synthetic == 0, -0.0, synthetic.astype(np.float64))
    found = CHECK(FeatureSets.one_each(train, holdout, double, split_random=True))
    assert number(found, "identical_to_held_out_images") == 3


def test_without_pseudonyms_no_pair_is_named():
    finding = CHECK(sets(copies=8, train_items=None, synthetic_items=None))
    assert finding.observations == ()
    assert number(finding, "outlying_images") == 8


def test_a_ratio_to_fewer_than_ten_training_images_is_not_given_as_no_image():
    data = sets()
    finding = CHECK(data.taken(train=range(9)))
    assert finding.verdict is Verdict.MEASURED
    (row,) = [e for e in finding.estimates if e.name == "outlying_images"]
    assert row.value is None
    assert "Fewer than ten" in row.reason


def test_the_smallest_detectable_number_is_stated():
    finding = CHECK(sets())
    assert number(finding, "smallest_detectable") == 5
    assert number(finding, "expected_closer_patients") == pytest.approx(60 / 61)


def test_with_sites_the_site_that_needs_most_copies_is_what_is_detectable():
    two = {"train_sites": ["a"] * 40 + ["b"] * 20, "holdout_sites": ["a"] * 20 + ["b"] * 40}
    finding = CHECK(sets(copies=8, **two))
    assert number(finding, "smallest_detectable") == 8  # of site a, two in three trained on; pooled it would be 5
    few = {"train_sites": ["a"] * 58 + ["b"] * 2, "holdout_sites": ["a"] * 58 + ["b"] * 2}
    (detectable,) = [e for e in CHECK(sets(copies=8, **few)).estimates if e.name == "smallest_detectable"]
    assert detectable.value is None
    assert "in 1 of 2 strata" in detectable.reason


def test_the_statement_says_what_was_waited_for_and_what_can_go_unseen():
    first = CHECK(sets(copies=8)).statement
    assert "closer to a synthetic image than any of 60 held-out patients, where 1.0 are expected by chance" in first
    assert first.endswith("never an all-clear: fewer than 5 copied patients can go unseen.")
    third = MemorizationMembership(order_statistics=(3,), permutations=99)(sets(copies=8)).statement
    assert "than all but 2 of 60 held-out ones, where 3.0 are expected" in third


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split_random": False}, "not on record"),
        ({"encoder_trained_on_train": True}, "fitted to the training images"),
        ({"conditioned_on_train": True}, "inputs of training patients"),
        ({"holdout_patients": [f"t{i}" for i in range(60)]}, "in training and in the holdout"),
        ({"train_patients": ["t0"] * 60}, "between 1 and 60 images"),
        ({"synthetic": np.zeros((0, 24)), "synthetic_items": ()}, "got 60, 60 and 0"),
        ({"train_sites": ["a"] * 60, "holdout_sites": ["b"] * 60}, "site and split are one"),
        ({"train_sites": ["a"] * 58 + ["c"] * 2, "holdout_sites": ["b"] * 58 + ["c"] * 2}, "in no site would copies"),
    ],
)
def test_a_broken_condition_is_not_assessable(changes, reason):
    finding = CHECK(sets(copies=8, **changes))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert reason in finding.reason
    assert finding.estimates == ()


def test_one_duplicate_between_training_and_holdout_does_not_hide_copies():
    data = sets(copies=8)
    holdout = data.holdout["features"].copy()
    holdout[0] = data.train["features"][0] + 1e-6
    finding = CHECK(sets(copies=8, holdout=holdout))
    assert finding.accounting["holdout_images_left_out_as_duplicates"] == 1
    assert finding.accounting["train_images_left_out_as_duplicates"] == 1
    assert number(finding, "p_value") < 0.02
    assert sum(finding.accounting.values()) == 180


def test_one_image_many_times_in_training_counts_once():
    data = sets()
    train = data.train["features"].copy()
    train[:10] = train[0]
    synthetic = data.synthetic["features"].copy()
    synthetic[0] = train[0] + 1e-3
    finding = CHECK(sets(train=train, synthetic=synthetic))
    assert finding.accounting["train_images_left_out_as_duplicates"] == 9
    assert number(finding, "p_value") > 0.05


def test_several_images_of_a_patient_count_as_one_patient():
    data = sets(copies=8)
    pairs = {role: [f"{role}{i // 2}" for i in range(60)] for role in ("train", "holdout")}
    finding = CHECK(sets(copies=8, train_patients=pairs["train"], holdout_patients=pairs["holdout"]))
    assert number(finding, "closer_patients") == 4
    assert finding.estimates[0].n == 60
    assert CHECK(data).estimates[0].n == 120


def test_several_spaces_and_order_statistics_are_paid_for_in_one_test():
    data = sets(copies=8)
    noise = np.random.default_rng(9).standard_normal((3, 60, 5))
    spaces = {
        role: {"pixels": getattr(data, role)["features"], "noise": noise[i]}
        for i, role in enumerate(("train", "holdout", "synthetic"))
    }
    check = MemorizationMembership(order_statistics=(1, 3), permutations=499, seed=4)
    finding = check(sets(copies=8, **spaces))
    assert 1 / 500 <= number(finding, "p_value") <= 0.02
    assert finding.seed == 4
    assert [e.group["space"] for e in finding.estimates if e.name == "closer_patients"] == ["pixels", "noise"]


def test_the_finding_is_the_same_whatever_the_order_and_survives_json():
    data = sets(copies=8, train_sites=["a", "b"] * 30, holdout_sites=["a", "b"] * 30)
    check = MemorizationMembership(permutations=199)
    first = check(data)
    again = check(data.reordered(np.random.default_rng(1).permutation(60).tolist()))
    assert json.dumps(first.to_dict(), sort_keys=True) == json.dumps(again.to_dict(), sort_keys=True)
    assert Finding.from_dict(json.loads(json.dumps(first.to_dict()))) == first


def test_a_flipped_copy_is_seen_with_views_only():
    flip = np.arange(24)[::-1]
    data = sets()
    synthetic = data.synthetic["features"].copy()
    synthetic[:8] = data.train["features"][:8, flip]
    assert number(CHECK(sets(synthetic=synthetic)), "p_value") > 0.05
    flipped = {role: {"features": getattr(data, role)["features"][:, None, flip]} for role in ("train", "holdout")}
    seen = {"synthetic_views": {"features": synthetic[:, None, flip]}}
    real = {f"{role}_views": views for role, views in flipped.items()}
    for views in (seen, real):
        finding = CHECK(sets(synthetic=synthetic, **views))
        assert number(finding, "p_value") < 0.01
        assert number(finding, "identical_images") == (8 if views is real else 0)
        assert finding.parameters["views"] == {"features": 1}
    unequal = CHECK(sets(synthetic=synthetic, train_views=flipped["train"]))
    assert number(unequal, "p_value") > 0.05, "training images seen from more sides would be near for that"
    assert unequal.parameters["views"] == {"features": 0}


def spaces(data, **protocols):
    noise = np.random.default_rng(9).standard_normal((3, 60, 5))
    both = {
        role: {"own": getattr(data, role)["features"], "other": noise[i]}
        for i, role in enumerate(("train", "holdout", "synthetic"))
    }
    return {
        **both,
        "protocols": {name: FeatureProtocol(name=name, width=5, **kept) for name, kept in protocols.items()},
    }


def test_a_space_fitted_to_the_training_images_is_left_out_with_its_reason():
    data = sets(copies=8)
    fitted = CHECK(sets(**spaces(data, own={"fitted_on_train": True}, other={})))
    assert fitted.subjects == ("other",)
    assert "alone sets them apart" in fitted.parameters["spaces_left_out"]["own"]
    unknown = CHECK(sets(**spaces(data, own={}, other={"fitted_on_train": None})))
    assert unknown.subjects == ("own",)
    assert "not on record" in unknown.parameters["spaces_left_out"]["other"]
    named = CHECK(sets(**spaces(data, own={}), encoder_trained_on_train=True))
    assert named.subjects == ("own",)
    none = CHECK(sets(**spaces(data, own={"fitted_on_train": True}, other={"fitted_on_train": True})))
    assert none.verdict is Verdict.NOT_ASSESSABLE
    assert "No space of features is left" in none.reason


def sourced(train, holdout):
    """Sources of 60 synthetic images: the given numbers of outputs of the first patients, none for the rest."""
    given = [f"t{i}" for i, number in enumerate(train) for _ in range(number)]
    given += [f"h{i}" for i, number in enumerate(holdout) for _ in range(number)]
    return {"synthetic_sources": given + [None] * (60 - len(given))}


def test_only_patients_whose_inputs_were_given_to_the_generator_are_compared():
    finding = CHECK(sets(copies=8, **sourced([1] * 25, [1] * 25)))
    assert finding.estimates[0].n == 50
    assert number(finding, "p_value") < 0.01
    assert "9 of 25 training patients whose input was given to the generator" in finding.statement
    assert finding.accounting["train_images_of_patients_not_given_to_the_generator"] == 35
    assert sum(finding.accounting.values()) == 180
    assert finding.seed is None


def test_labels_move_among_patients_with_as_many_outputs():
    check = MemorizationMembership(permutations=199)
    finding = check(sets(copies=8, **sourced([2] * 10 + [1] * 10, [1] * 10 + [2] * 10)))
    assert finding.estimates[0].n == 40
    assert finding.seed == 0


@pytest.mark.parametrize(("train", "holdout"), [([1] * 30, [1] * 20), ([1] * 30, []), ([2] * 10, [1] * 10)])
def test_unequal_numbers_of_inputs_are_not_assessable(train, holdout):
    finding = CHECK(sets(copies=8, **sourced(train, holdout)))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "generate equally many" in finding.reason


def test_sources_that_are_no_patient_of_the_sets_change_nothing():
    foreign = CHECK(sets(copies=8, synthetic_sources=["elsewhere"] * 60))
    assert foreign.estimates == CHECK(sets(copies=8)).estimates


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_patients": ["a"]}, "`train_patients` must have one entry for each of the 60"),
        ({"train": np.zeros(60)}, "must have shape"),
        ({"train": np.zeros((60, 5))}, "equally many features"),
        ({"holdout": {"other": np.zeros((60, 24))}}, "the same spaces"),
        ({"train": np.full((60, 24), np.inf)}, "must be finite"),
        ({"train_sites": ["a"] * 60}, "training and holdout or for neither"),
        (
            {"train_patients": ["a"] * 60, "train_sites": ["a"] * 59 + ["b"], "holdout_sites": ["a"] * 60},
            "a patient with two",
        ),
    ],
)
def test_sets_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sets(**changes)


def test_pairs_are_listed_in_the_space_in_which_copies_were_seen():
    plain, blind = sets(copies=8), sets(seed=1)
    spaces = {
        role: {"blind": blind.rows(role, blind.spaces[0]), "seeing": plain.rows(role, plain.spaces[0])}
        for role in ("train", "holdout", "synthetic")
    }
    finding = CHECK(sets(**spaces))
    assert "in seeing" in finding.statement
    assert labels(finding).count("outlying pair") == 8
    assert number(finding, "outlying_images") == 8
    assert all(f"x{pair.items[1][1:]}" == pair.items[0] for pair in finding.observations if "outlying" in pair.label)
    (outlying,) = [estimate for estimate in finding.estimates if estimate.name == "outlying_images"]
    assert outlying.estimand.endswith("in seeing")
