# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.errors import GateError, InputError
from monai_ethics.evidence import Verdict
from monai_ethics.provenance.images.digest import FileDigests, digest_file
from monai_ethics.provenance.images.read import Marks
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.known import load_known
from monai_ethics.provenance.registry.stamp import stamp_files
from monai_ethics.provenance.synthetic_guard import CLASSES, AdmissionList, SyntheticGuard, classify

AFFINE = np.diag([-1.5, -1.5, 2, 1])
S, R = {"v": "sha256:s", "slice": "sha256:s"}, {"v": "sha256:r"}


def item(voxel="v", *, slices=(), **marks):
    return FileDigests(file_sha256="f", voxel_v1=voxel, geometry_v1="g", slices=slices, marks=Marks(**marks))


@pytest.mark.parametrize(
    ("digests", "synthetic", "real", "kind"),
    [
        (item(), {}, {}, "unknown"),
        (item(), S, {}, "synthetic-by-digest"),
        (item("w", slices=("a", "slice")), S, {}, "synthetic-by-digest"),
        (item(), {}, R, "real-attested"),
        (item(), S, R, "conflict"),
        (item(synthetic="no"), S, {}, "conflict"),
        (item(synthetic="yes"), {}, R, "conflict"),
        (item(synthetic="yes"), {}, {}, "synthetic-declared"),
        (item(synthetic="partial"), {}, {}, "synthetic-declared"),
        (item(synthetic="yes"), S, {}, "synthetic-declared"),
        (item(synthetic="yes", voxel_v1="v"), {}, {}, "synthetic-declared"),
        (item(synthetic="yes", voxel_v1="w"), {}, {}, "derived"),
        (item(synthetic="yes", voxel_v1="w"), S, {}, "synthetic-declared"),
        (item(derived=True), {}, {}, "derived"),
        (item(synthetic="no"), {}, {}, "unknown"),
        (item(synthetic="no"), {}, R, "real-attested"),
        (item(None), S, R, "unknown"),
        (item(None, synthetic="yes"), {}, {}, "synthetic-declared"),
    ],
)
def test_class_of_an_image(digests, synthetic, real, kind):
    found, why, _ = classify(digests, synthetic, real)
    assert found == kind
    assert why


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (None, ()),
        ("deny-list", ("synthetic-declared", "synthetic-by-digest", "conflict")),
        ("allow-list", tuple(kind for kind in CLASSES if kind != "real-attested")),
    ],
)
def test_policies_refuse_their_classes(policy, refused):
    data = SyntheticGuard.example(30, seed=0)
    rows = SyntheticGuard(policy=policy).judge(data)
    assert {row.kind for row in rows} == set(CLASSES)
    assert {row.kind for row in rows if row.refused} == set(refused)


def test_derived_is_refused_only_where_it_carries_a_synthetic_mark():
    data = AdmissionList(items=("a", "b"), digests=(item(derived=True), item("w", synthetic="yes", voxel_v1="x")))
    assert [row.refused for row in SyntheticGuard(policy="deny-list").judge(data)] == [False, True]


def test_the_finding_counts_every_image_and_names_its_policy():
    finding = SyntheticGuard(policy="deny-list")(SyntheticGuard.example(30, seed=0))
    assert finding.verdict is Verdict.FAILED
    assert sum(finding.accounting.values()) == 30
    assert finding.limit.source.title == "Guard policy 'deny-list'"
    values = {estimate.name: estimate.value for estimate in finding.estimates}
    assert values == {"known_synthetic": 15, "refused": 15, "near_copies": 2}
    assert [one.label for one in finding.observations[15:]] == ["near-copy"] * 2
    assert "For review, because it looks like a registered synthetic image: 2." in finding.statement


def test_without_a_policy_it_measures():
    finding = SyntheticGuard()(SyntheticGuard.example(30, seed=0))
    assert (finding.verdict, finding.limit) == (Verdict.MEASURED, None)
    assert len(finding.observations) == 17


def test_a_clean_list_passes_and_says_what_that_does_not_show():
    finding = SyntheticGuard(policy="deny-list")(AdmissionList(items=("a",), digests=(item(),), gaps=2))
    assert finding.verdict is Verdict.PASSED
    assert "2 registrations can no longer be read" in finding.statement
    assert "not thereby real" in finding.limitations[0]


def test_nothing_and_constant_images_cannot_be_assessed():
    for data in (AdmissionList(items=(), digests=()), AdmissionList(items=("a",), digests=(item(None),))):
        finding = SyntheticGuard(policy="deny-list")(data)
        assert finding.verdict is Verdict.NOT_ASSESSABLE


def test_long_lists_of_refusals_are_cut():
    finding = SyntheticGuard(policy="deny-list", listed=3)(SyntheticGuard.example(30, seed=0))
    assert len(finding.observations) == 3


def test_unknown_policies_and_unequal_lengths_are_refused():
    with pytest.raises(InputError, match="deny-list or allow-list"):
        SyntheticGuard(policy="other")
    with pytest.raises(InputError, match="one entry per item"):
        AdmissionList(items=("a",), digests=())


# files ---------------------------------------------------------------------------------------------------------------


def volume(seed):
    return np.random.default_rng(seed).normal(100, 30, size=(20, 18, 6)).astype(np.float32)


@pytest.fixture
def evidence(tmp_path, key):
    """Synthetic images 0-1 and acquired images 2-3, registered; the files are in tmp_path/images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(5):
        nib.save(nib.Nifti1Image(volume(seed), AFFINE), folder / f"doe_john_{seed}.nii.gz")
    with EvidenceLog.open(tmp_path / "evidence", run_id="stamp", key=key) as log:
        stamp_files([folder / f"doe_john_{seed}.nii.gz" for seed in (0, 1)], log)
        stamp_files([folder / f"doe_john_{seed}.nii.gz" for seed in (2, 3)], log, synthetic="no")
    return log.folder


def test_marked_registered_attested_and_unknown_files_are_told_apart(evidence, tmp_path):
    result = admit([tmp_path / "images"], evidence, "deny-list")
    assert [row.kind for row in result.rows] == ["synthetic-declared"] * 2 + ["real-attested"] * 2 + ["unknown"]
    assert result.refused == (1, 2)
    assert not result.passed
    assert admit([tmp_path / "images"], evidence, "allow-list").refused == (1, 2, 5)
    assert result.finding.verdict is Verdict.FAILED
    assert "doe" not in json.dumps(result.to_dict())
    assert "no site log" in " ".join(result.notes)


def _resaved(array, path):
    nib.save(nib.Nifti1Image(array.astype(np.float64), AFFINE), path)


def _canonical(array, path):
    nib.save(nib.as_closest_canonical(nib.Nifti1Image(array, AFFINE)), path)


def _slice(array, path):
    nib.save(nib.Nifti1Image(array[:, :, 3:4], AFFINE), path)


def _sagittal_array(array, path):
    np.save(path.with_suffix(".npy"), np.rot90(array[7]))
    return path.with_suffix(".npy")


def _thinned(array, path):
    nib.save(nib.Nifti1Image(array[:, :, ::2], AFFINE), path)


@pytest.mark.parametrize("copy", [_resaved, _canonical, _slice, _sagittal_array, _thinned])
def test_an_unmarked_copy_is_known_by_its_digest(evidence, tmp_path, copy):
    path = tmp_path / "innocent.nii"
    path = copy(volume(0), path) or path
    result = admit([path], evidence, "deny-list")
    assert [row.kind for row in result.rows] == ["synthetic-by-digest"]
    assert result.refused == (1,)


def test_a_rescaled_copy_is_unknown_and_only_the_allow_list_refuses_it(evidence, tmp_path):
    nib.save(nib.Nifti1Image(volume(0) * 1.5, AFFINE), tmp_path / "a.nii")
    assert admit([tmp_path / "a.nii"], evidence, "deny-list").passed
    assert not admit([tmp_path / "a.nii"], evidence, "allow-list").passed


def test_a_slice_of_an_attested_volume_is_attested(evidence, tmp_path):
    np.save(tmp_path / "a.npy", volume(2)[:, :, 1])
    assert admit([tmp_path / "a.npy"], evidence, "allow-list").passed


def test_a_header_copied_onto_other_voxels_makes_a_derived_image(evidence, tmp_path):
    marked = nib.load(tmp_path / "images" / "doe_john_0.nii.gz")
    nib.save(nib.Nifti1Image(volume(9), AFFINE, header=marked.header), tmp_path / "a.nii")
    result = admit([tmp_path / "a.nii"], evidence, "deny-list")
    assert (result.rows[0].kind, result.passed) == ("derived", False)


def test_a_sidecar_speaks_for_formats_without_marks(tmp_path, key):
    np.save(tmp_path / "a.npy", volume(0))
    with EvidenceLog.open(tmp_path / "evidence", run_id="r", key=key) as log:
        assert stamp_files([tmp_path / "a.npy"], log).items[0].marks == ("sidecar",)
    with EvidenceLog.open(tmp_path / "other", run_id="r", key=key):
        pass
    assert admit([tmp_path / "a.npy"], tmp_path / "other", "deny-list").rows[0].kind == "synthetic-declared"
    np.save(tmp_path / "a.npy", volume(1))
    assert admit([tmp_path / "a.npy"], tmp_path / "other", "deny-list").rows[0].kind == "derived"
    (tmp_path / "a.npy.prov.json").write_text('{"schema_version": "1", "synthetic": false}')
    assert admit([tmp_path / "a.npy"], tmp_path / "other", "deny-list").rows[0].kind == "unknown"
    (tmp_path / "a.npy.prov.json").write_text("not JSON")
    assert admit([tmp_path / "a.npy"], tmp_path / "other", "deny-list").rows[0].kind == "unknown"


def test_a_site_log_registers_too(evidence, tmp_path, key):
    with EvidenceLog.open(tmp_path / "other", run_id="r", key=key):
        pass
    _resaved(volume(0), tmp_path / "a.nii")
    assert admit([tmp_path / "a.nii"], tmp_path / "other", "deny-list").passed
    assert not admit([tmp_path / "a.nii"], tmp_path / "other", "deny-list", site=evidence).passed


def test_erased_digests_of_acquired_images_are_counted_as_gaps(evidence, tmp_path):
    for path in (evidence / "private").glob("*.bin"):
        path.unlink()
    result = admit([tmp_path / "images"], evidence, "deny-list")
    assert [row.kind for row in result.rows] == ["synthetic-declared"] * 2 + ["unknown"] * 3
    assert "2 registrations can no longer be read" in result.finding.statement


def test_a_registry_that_was_tampered_with_refuses(evidence, tmp_path):
    path = evidence / "log.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"registered"' not in line))
    with pytest.raises(GateError, match="as it was signed: got 'altered'"):
        admit([tmp_path / "images"], evidence, "deny-list")


def test_a_registry_signed_by_another_key_refuses(evidence, tmp_path, key):
    assert admit([tmp_path / "images"], evidence, "deny-list", trusted=[key.public]).rows
    with pytest.raises(GateError, match="wrong-key"):
        admit([tmp_path / "images"], evidence, "deny-list", trusted=[b"\1" * 32])


def test_an_open_log_can_be_asked(tmp_path, key):
    nib.save(nib.Nifti1Image(volume(0), AFFINE), tmp_path / "a.nii")
    with EvidenceLog.open(tmp_path / "evidence", run_id="r", key=key) as log:
        stamp_files([tmp_path / "a.nii"], log)
        assert not admit([tmp_path / "a.nii"], log.folder, "deny-list").passed


def test_a_log_in_a_folder_hides_no_image_in_it_and_hidden_files_are_left_out(tmp_path, key):
    nib.save(nib.Nifti1Image(volume(0), AFFINE), tmp_path / "a.nii")
    (tmp_path / ".hidden").mkdir()
    nib.save(nib.Nifti1Image(volume(1), AFFINE), tmp_path / ".hidden" / "b.nii")
    with EvidenceLog.open(tmp_path / "evidence", run_id="r", key=key):
        nib.save(nib.Nifti1Image(volume(1), AFFINE), tmp_path / "evidence" / "c.nii")
    assert len(admit([tmp_path], tmp_path / "evidence", "deny-list").rows) == 2


def test_the_same_list_in_another_order_gives_the_same_finding():
    data = SyntheticGuard.example(20, seed=4)
    order = np.random.default_rng(0).permutation(20).tolist()
    check = SyntheticGuard(policy="allow-list")
    assert check(data).to_dict() == check(data.reordered(order)).to_dict()
    assert replace(check, listed=1)(data).observations == check(data).observations[:1]


# near copies ---------------------------------------------------------------------------------------------------------


def near_list(*, real=False):
    text = "a" * 53 + "8"
    items = (FileDigests(file_sha256="f", voxel_v1="v", geometry_v1="g", robust_v1=text),)
    registered = {"a" * 52 + "b8": "sha256:n"}
    return AdmissionList(
        items=("a",),
        digests=items,
        known_real=R if real else {},
        near_synthetic=registered,
        near_real={text: "sha256:r"},
    )


def test_a_near_copy_is_listed_with_its_distance_and_admitted_by_the_deny_list():
    finding = SyntheticGuard(policy="deny-list")(near_list())
    assert finding.verdict is Verdict.PASSED
    (seen,) = finding.observations
    assert (seen.label, seen.value) == ("near-copy", 1 / 215)
    assert seen.note.startswith("for review: ")
    assert "0.0% from an acquired one" in seen.note
    assert "For review, because it looks like a registered synthetic image: 1." in finding.statement
    assert SyntheticGuard(policy="allow-list")(near_list()).verdict is Verdict.FAILED
    assert SyntheticGuard(policy="deny-list", near=0)(near_list()).accounting == {"unknown": 1}
    with pytest.raises(InputError, match="`near` must lie in"):
        SyntheticGuard(near=2)


def test_an_attested_image_stays_attested_however_near_it_is():
    assert SyntheticGuard(policy="allow-list").judge(near_list(real=True))[0].kind == "real-attested"


def test_robust_hashes_of_acquired_images_are_private_and_partly_synthetic_ones_have_none(tmp_path, key):
    for seed, name in enumerate(("made", "scan", "inpainted")):
        nib.save(nib.Nifti1Image(volume(seed), AFFINE), tmp_path / f"{name}.nii")
    with EvidenceLog.open(tmp_path / "evidence", run_id="r", key=key) as log:
        stamp_files([tmp_path / "made.nii"], log)
        stamp_files([tmp_path / "scan.nii"], log, synthetic="no")
        stamp_files([tmp_path / "inpainted.nii"], log, synthetic="partial")
    known = load_known([log.folder])
    hashes = [digest_file(tmp_path / f"{name}.nii", robust=True).robust_v1 for name in ("made", "scan", "inpainted")]
    assert (set(known.near_synthetic), set(known.near_real)) == ({hashes[0]}, {hashes[1]})
    text = (log.folder / "log.jsonl").read_text()
    assert [one in text for one in hashes] == [True, False, False]
