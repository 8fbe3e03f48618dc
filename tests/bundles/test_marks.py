# SPDX-License-Identifier: Apache-2.0
"""The segmentation bundle, unedited, on acquired and synthetic slices in one batch: under MONAI alone and under us."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.cohort import Cohort, Lesions, write_cohort
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.marks.peek import peek_marks
from monai_ethics.provenance.marks.sidecar import read_sidecar, sidecar_path
from monai_ethics.provenance.registry.known import load_known
from monai_ethics.provenance.registry.stamp import stamp_file

pytestmark = [pytest.mark.bundle, pytest.mark.slow]
MARKED = {"yes": (2, 5), "partial": (7,)}


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """12 slices to segment, the batch of 8 mixed; two are stamped as synthetic and one as partly synthetic."""
    folder = tmp_path_factory.mktemp("marked") / "data"
    write_cohort(Cohort(n=12, seed=50, lesions=Lesions(prevalence=1.0)), folder, splits={"testing": range(12)})
    images = sorted(folder.glob("*_image.nii.gz"))
    for state, places in MARKED.items():
        for place in places:
            assert "header" in stamp_file(images[place], synthetic=state)
    return folder


def test_predictions_from_synthetic_slices_are_marked_and_all_else_is_as_under_monai(
    launch, slices, tmp_path, monkeypatch
):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    words = {"config_file": "configs/inference.json", "dataset_dir": slices}
    launch("run", **words, output_dir=theirs)
    launch("run", **words, output_dir=ours, module="monai_ethics")
    images = sorted(slices.glob("*_image.nii.gz"))
    told, identical = {}, 0
    for place, image in enumerate(images):
        name = image.name.replace("_image.nii.gz", "_image_lesion.nii.gz")
        mine, stock = ours / name, theirs / name
        told[place] = peek_marks(mine).synthetic
        assert peek_marks(stock).synthetic is None
        assert np.array_equal(np.asarray(nib.load(mine).dataobj), np.asarray(nib.load(stock).dataobj))
        if told[place] is None:
            assert mine.read_bytes() == stock.read_bytes()
            assert not sidecar_path(mine).exists()
            identical += 1
        else:
            record = read_sidecar(mine)["record"]
            assert [one["id"] for one in record["parents"]] == [read_sidecar(image)["record"]["id"]]
    assert {place: state for place, state in told.items() if state} == {
        place: state for state, places in MARKED.items() for place in places
    }
    assert verify_evidence(ours / "evidence").status in ("trusted", "intact-signer-unknown")
    stored = [entry.body for entry in read_entries(ours / "evidence") if entry.kind == "stored"]
    marked = [body["record"] for body in stored if body["role"] == "marked"]
    assert len(marked) == 3
    assert set(marked) <= set(load_known([ours / "evidence"]).records)
    print(
        f"\n12 slices, 3 of them marked, batches of 8: MONAI alone marks 0 of 3 predictions, `run` 3 of 3; "
        f"{identical} of 9 predictions from unmarked slices have the same bytes, 12 of 12 the same values"
    )
