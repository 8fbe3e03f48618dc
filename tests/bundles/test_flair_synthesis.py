# SPDX-License-Identifier: Apache-2.0
"""The generator and its over-trained twin: they run under MONAI's launcher, do as asked, and only the twin alarms."""

from __future__ import annotations

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from scipy.stats import binom

from monai_ethics._resources import bundle_path
from monai_ethics.cohort import Cohort, Lesions, load_founders, write_cohort
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.features.pixels import raw_pixels
from monai_ethics.synthesis.memorization_membership import MemorizationMembership

BUNDLE = bundle_path("flair_synthesis")
SEEN_BY_TWIN = 16
TRAINED_ON = 4000  # subjects of seed 4 the generator saw; those that follow it did not
SETS, SUBJECTS, DRAWS = 20, 100, 10  # pairs of disjoint sets of subjects, each drawn on with ten sets of images
MIB = 2**20


@pytest.fixture(scope="module")
def run(warm):
    """Run a config of the bundle in its folder, in a process of its own; returns what it printed."""

    def whole(module, *overlays, config="inference", **overrides):
        files = [f"configs/{name}.json" for name in (config, *overlays)]
        flags = [word for key, value in overrides.items() for word in (f"--{key}", str(value))]
        which = files[0] if len(files) == 1 else str(files)
        done = warm(["-m", *module.split(), "--config_file", which, *flags], cwd=BUNDLE)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    return whole


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """192 images of the generator and what was requested, sampled once."""
    folder = tmp_path_factory.mktemp("made")
    run("monai.bundle run", output_dir=folder, n_samples=192, steps=20)
    return folder


def requests(folder):
    with (folder / "participants.tsv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def pixels(folder):
    """The written images in the order of the table."""
    names = [row["participant_id"] for row in requests(folder)]
    return [np.asarray(nib.load(folder / f"{name}_image.nii.gz").dataobj) for name in names]


def brightness(image):
    """The brightest 3 x 3 pixels over the median of the slice."""
    return uniform_filter(image, 3).max() / np.median(image[image > 0.05 * image.max()])


def cohort():
    founders = load_founders()
    if "icbm152" not in founders:
        pytest.skip("the anatomy that the weights were trained on is not installed")
    only = {"icbm152": founders["icbm152"]}
    return Cohort(n=2 * TRAINED_ON, seed=4, size=(64, 64), lesions=Lesions(prevalence=0.5), founders=only)


def subjects(people, indices):
    """Names and features of subjects of a cohort."""
    return [people.subject_id(i) for i in indices], raw_pixels([people[i].image for i in indices])


def membership(images, *, train, holdout):
    """The finding and its p-value; `train` and `holdout` are names and features."""
    sets = FeatureSets(
        synthetic=images,
        train=train[1],
        holdout=holdout[1],
        train_patients=train[0],
        holdout_patients=holdout[0],
        split_random=True,
    )
    finding = MemorizationMembership()(sets)
    return finding, next(one.value for one in finding.estimates if one.name == "p_value")


@pytest.mark.parametrize("name", ["train", "inference", "overtrained", "reference", "metadata"])
def test_the_generator_knows_nothing_of_this_package(name):
    text = (BUNDLE / "configs" / f"{name}.json").read_text(encoding="utf-8")
    assert "ethics" not in text.replace("monai_ethics developers", "")


def test_the_generator_travels_with_its_twin_and_their_license():
    metadata = json.loads((BUNDLE / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["version"] in metadata["changelog"]
    assert (BUNDLE / "LICENSE").is_file()
    assert (BUNDLE / "docs" / "README.md").is_file()
    assert sum(file.stat().st_size for file in (BUNDLE / "models").glob("*.pt")) <= 10 * MIB
    assert {file.name for file in (BUNDLE / "models").glob("*.pt")} == {"model.pt", "overtrained.pt"}


@pytest.mark.bundle
@pytest.mark.slow
def test_images_are_the_same_with_evidence_and_marked_beside(run, tmp_path):
    plain, watched = tmp_path / "plain", tmp_path / "watched"
    run("monai.bundle run", output_dir=plain, n_samples=4, steps=3)
    run("monai_ethics run", output_dir=watched, n_samples=4, steps=3, **{"ethics#synthetic": "true"})
    files = sorted(file.name for file in plain.glob("*.nii.gz"))
    assert len(files) == 4
    for name in files:
        first, second = (np.asarray(nib.load(folder / name).dataobj) for folder in (plain, watched))
        assert first.shape == (64, 64)
        assert np.array_equal(first, second)
        assert (watched / f"{name}.prov.json").is_file()
    assert requests(plain) == requests(watched)
    assert {(row["lesion"], row["sex"]) for row in requests(plain)} == {("0", "F"), ("1", "F"), ("0", "M"), ("1", "M")}


@pytest.mark.bundle
@pytest.mark.slow
def test_it_trains_from_a_written_cohort(run, tmp_path):
    write_cohort(
        Cohort(n=8, seed=51, size=(64, 64)), tmp_path / "data", splits={"training": range(6), "testing": [6, 7]}
    )
    run("monai.bundle run", config="train", dataset_dir=tmp_path / "data", ckpt_dir=tmp_path, epochs=1)
    assert (tmp_path / "model.pt").stat().st_size <= 5 * MIB
    run("monai.bundle run", config="reference", dataset_dir=tmp_path / "data", output_dir=tmp_path / "seen")
    assert len(pixels(tmp_path / "seen")) == 2


@pytest.mark.bundle
@pytest.mark.slow
def test_the_membership_test_fires_on_the_over_trained_twin(run, tmp_path):
    run("monai.bundle run", "overtrained", output_dir=tmp_path, n_samples=48, steps=20)
    images, people = raw_pixels(pixels(tmp_path)), cohort()
    for size in (SEEN_BY_TWIN, 100):
        holdout = subjects(people, range(TRAINED_ON, TRAINED_ON + size))
        finding, p_value = membership(images, train=subjects(people, range(SEEN_BY_TWIN)), holdout=holdout)
        print(finding.statement)
        assert str(finding.verdict) == "measured"
        assert p_value <= 0.001


@pytest.mark.bundle
@pytest.mark.slow
def test_a_requested_lesion_shows_and_without_a_request_none_does(made):
    asked = np.array([row["lesion"] == "1" for row in requests(made)])
    bright = np.array([brightness(image) for image in pixels(made)])
    pairs = bright[asked][:, None] - bright[~asked]
    auc = (pairs > 0).mean() + (pairs == 0).mean() / 2
    print(f"area under the curve of brightness for a requested lesion: {auc:.3f}, {asked.sum()} of {asked.size} asked")
    assert auc >= 0.85


@pytest.mark.bundle
@pytest.mark.slow
def test_the_membership_test_keeps_its_level_on_the_good_generator(made):
    """Subjects and images are drawn anew, the generator is one.

    The sets of subjects are disjoint, so with a generator that treats both alike the pairs are independent given the
    images; the ten draws of one pair are not. The limit therefore takes all ten to say the same: binomial over pairs.
    """
    images, people, rng = raw_pixels(pixels(made)), cohort(), np.random.default_rng(0)
    alarms = np.zeros((SETS, DRAWS))
    for first in range(SETS):
        indices = range(first * SUBJECTS, (first + 1) * SUBJECTS)
        train, holdout = subjects(people, indices), subjects(people, [TRAINED_ON + i for i in indices])
        drawn = [images[rng.choice(len(images), 48, replace=False)] for _ in range(DRAWS)]
        found = [membership(one, train=train, holdout=holdout) for one in drawn]
        assert {str(finding.verdict) for finding, _ in found} == {"measured"}
        alarms[first] = [p_value <= 0.05 for _, p_value in found]
    print(f"alarms at 0.05: {alarms.mean():.3f} of {alarms.size} draws; by pair {alarms.mean(1).tolist()}")
    assert alarms.mean() <= binom.ppf(0.99, SETS, 0.05) / SETS


@pytest.mark.bundle
@pytest.mark.slow
def test_the_bundle_audits_its_images_by_its_own_config(run, tmp_path):
    lists = {"training": range(40), "testing": range(40, 80)}
    write_cohort(Cohort(n=80, seed=51, size=(64, 64)), tmp_path / "data", splits=lists)
    folders = {"training": tmp_path / "seen", "testing": tmp_path / "unseen"}
    for key, folder in folders.items():
        run("monai.bundle run", config="reference", dataset_dir=tmp_path / "data", data_list_key=key, output_dir=folder)
    run("monai.bundle run", output_dir=tmp_path / "made", n_samples=24, steps=2)
    said = run(
        "monai.bundle run",
        config="audit",
        train_dir=folders["training"],
        holdout_dir=folders["testing"],
        synthetic_dir=tmp_path / "made",
        output_dir=tmp_path / "evidence",
        options="['--extractor','pixels','--no-text','--min-group-size','20']",
    )
    assert "synthetic: 24 images of 24" in said
    report = json.loads((tmp_path / "evidence" / "report.json").read_text(encoding="utf-8"))
    checks = [finding["check"] for finding in report["findings"]]
    assert {"synthesis.memorization_membership", "synthesis.fidelity", "synthesis.group_coverage"} <= set(checks)
    by = {finding["parameters"].get("attribute") for finding in report["findings"]}
    assert {"lesion", "sex"} <= by
