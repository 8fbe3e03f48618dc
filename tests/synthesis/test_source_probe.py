# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.embeddings import EmbeddingTable
from monai_ethics.synthesis.methods.probe import flag_permutations, fold_of_units, probe_areas
from monai_ethics.synthesis.source_probe import SourceProbe

CHECK = SourceProbe(permutations=199)


def table(*, n=80, off=0.0, with_class=0.0, per_unit=1, features=5, seed=0):
    rng = np.random.default_rng(seed)
    made = (np.arange(n) // per_unit) % 2 == 1
    ill = rng.random(n) < np.where(made, 0.7, 0.3)
    rows = rng.standard_normal((n, features))
    rows += np.outer(made, [off] + [0] * (features - 1)) + np.outer(ill, [0, with_class] + [0] * (features - 2))
    labels = ["ill" if each else "well" for each in ill]
    units = [f"u{i // per_unit}" for i in range(n)]
    return EmbeddingTable(embeddings=rows, synthetic=made.tolist(), classes=labels, units=units)


def number(finding, name):
    return next(row.value for row in finding.estimates if row.name == name and not row.group)


def test_a_source_that_shows_is_read():
    finding = CHECK(table(off=2.0))
    assert number(finding, "probe_auc") > 0.85
    assert number(finding, "p_value") == 1 / 200
    assert {row.group["class"] for row in finding.estimates if row.group} == {"ill", "well"}


def test_a_class_that_goes_with_the_source_does_not_count_as_the_source():
    finding = CHECK(table(n=200, with_class=5.0))
    assert number(finding, "probe_auc") < 0.62
    assert number(finding, "p_value") > 0.05


def test_more_features_than_images_are_no_obstacle():
    finding = CHECK(table(off=8.0, features=300))
    assert number(finding, "p_value") <= 0.05


def test_both_ways_of_solving_agree():
    data = table(n=60, off=1.0, features=40)
    flags, fold = np.array(data.synthetic)[:, None], fold_of_units(data.units, folds=3, seed=0)
    primal = probe_areas(data.embeddings, flags, data.classes, fold, ridge=0.1)
    wide = np.concatenate([data.embeddings, np.zeros((60, 60))], axis=1)
    dual = probe_areas(wide, flags, data.classes, fold, ridge=0.1)
    assert primal[""] == pytest.approx(dual[""], abs=1e-12)


def test_units_stay_whole_in_folds_and_labelings():
    data = table(n=80, per_unit=4)
    fold = fold_of_units(data.units, folds=5, seed=1)
    owner = np.array([int(unit[1:]) for unit in data.units])
    assert all(len(set(fold[owner == unit])) == 1 for unit in set(owner))
    same = ["a"] * 80
    moved = flag_permutations(np.array(data.synthetic), same, data.units, draws=20, seed=0)
    assert all(np.ptp(moved[owner == unit].astype(int), axis=0).max() == 0 for unit in set(owner))
    assert (moved.sum(0) == 40).all()


def test_units_of_both_sources_are_permuted_within():
    flags, units = np.array([True, False] * 10), [f"u{i // 2}" for i in range(20)]
    moved = flag_permutations(flags, ["a"] * 20, units, draws=50, seed=0)
    assert (moved.reshape(10, 2, 50).sum(1) == 1).all()
    assert flag_permutations(flags, [f"{i}" for i in range(20)], units, draws=5, seed=0) is None


def test_unknown_sources_are_left_out_and_counted():
    data = table()
    flags = [None, *data.synthetic[1:]]
    classes = [data.classes[0], None, *data.classes[2:]]
    finding = CHECK(EmbeddingTable(embeddings=data.embeddings, synthetic=flags, classes=classes, units=data.units))
    assert finding.accounting["images_of_unknown_source"] == finding.accounting["images_without_class"] == 1
    assert sum(finding.accounting.values()) == 80


def test_few_units_are_not_assessable_and_misfits_refused():
    finding = CHECK(table(n=80, per_unit=8))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "5 real and 5 synthetic units" in finding.reason
    with pytest.raises(InputError, match="finite numbers"):
        EmbeddingTable(embeddings=np.zeros(3), synthetic=[True] * 3, classes=["a"] * 3, units=["b"] * 3)
    with pytest.raises(InputError, match="one entry per image"):
        EmbeddingTable(embeddings=np.zeros((3, 1)), synthetic=[True], classes=["a"] * 3, units=["b"] * 3)


def test_a_few_units_of_both_sources_do_not_hold_the_others_fixed():
    data = table(n=160, off=2.0)
    mixed = EmbeddingTable(
        embeddings=data.embeddings,
        synthetic=data.synthetic,
        classes=["a"] * 160,
        units=["u0", "u0", *data.units[2:]],
    )
    finding = CHECK(mixed)
    assert number(finding, "p_value") <= 0.05
    assert number(finding, "probe_auc_null_95th") < 0.7
    assert number(finding, "images_permuted") == 160


def test_images_whose_source_cannot_move_are_counted_and_said():
    data = table(n=160, off=2.0)
    units = [
        f"r{i // 10}" if made and i < 80 else unit
        for i, (made, unit) in enumerate(zip(data.synthetic, data.units, strict=True))
    ]
    finding = CHECK(
        EmbeddingTable(embeddings=data.embeddings, synthetic=data.synthetic, classes=["a"] * 160, units=units)
    )
    assert number(finding, "images_permuted") == 120
    assert "120 of 160 images could change their source" in finding.statement
