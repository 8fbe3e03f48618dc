# SPDX-License-Identifier: Apache-2.0
"""dciodvfy on DICOM that others wrote and we marked: nothing but the flag that it is too old for is added."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_dicom_marks_judged import AFFINE, RECORD, TOO_OLD, VOLUME, errors

from monai_ethics.__main__ import main
from monai_ethics.provenance.marks.dicom import copy_marks
from monai_ethics.provenance.marks.dicom_writer import write_synthetic_dicom
from monai_ethics.provenance.registry.stamp import stamp_file

pytestmark = pytest.mark.real
WRITTEN = """
import sys, itk, numpy
from pathlib import Path
from PIL import Image
from monai.transforms import LoadImage, SaveImage
from monai_ethics.transforms import keep_marks
from monai_ethics.transforms.itk_dicom import itk_safe, write_dicom_with_itk
source, out = Path(sys.argv[1]), Path(sys.argv[2])
image = itk.imread(str(source))
with itk_safe(image):
    itk.imwrite(image, str(out / "itk_bare.dcm"))
write_dicom_with_itk(image, out / "itk_marked.dcm", source=source)
Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (40, 40)).astype("uint8")).save(out / "a.png")
for name, state in (("monai_bare", "unknown"), ("monai_marked", "yes")):
    with keep_marks():
        loaded = LoadImage(reader="ITKReader", ensure_channel_first=True)(out / "a.png")
        loaded.meta["synthetic"] = state
        save = SaveImage(output_ext=".dcm", print_log=False)
        save.set_options(init_kwargs={"output_dtype": numpy.uint8, "scale": None})
        save(loaded, filename=str(out / name))
"""


def bare(folder):
    """A valid MR file without a mark."""
    path = write_synthetic_dicom(
        VOLUME, AFFINE, folder / "mr", modality="MR", record=RECORD, attributes={"BodyPartExamined": "BRAIN"}
    )[0]
    dataset = pydicom.dcmread(path)
    del dataset.SyntheticData, dataset.ContributingEquipmentSequence
    dataset.remove_private_tags()
    dataset.SeriesDescription = "t1"
    dataset.save_as(folder / "bare.dcm")
    assert errors(folder / "bare.dcm") == []
    return folder / "bare.dcm"


@pytest.mark.parametrize("synthetic", ["yes", "partial"])
def test_stamped_files_are_valid(tmp_path, synthetic, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    path = bare(tmp_path)
    if synthetic == "yes":
        assert main(["stamp", str(path), "--synthetic", "--out", str(tmp_path / "site")]) == 0
    else:
        assert "header" in stamp_file(path, synthetic="partial")
    assert errors(path) == [TOO_OLD]
    assert main(["stamp", str(path), "--synthetic", "--out", str(tmp_path / "site_2")]) in (0, 1)
    assert errors(path) == [TOO_OLD]


def test_files_with_marks_of_two_records_and_carried_marks_are_valid(tmp_path):
    path = bare(tmp_path)
    shutil.copy(path, tmp_path / "target.dcm")
    for model in ("first", "second"):
        stamp_file(path, record={"type": "synthesis", "model": {"name": model}})
    source, target = pydicom.dcmread(path), pydicom.dcmread(tmp_path / "target.dcm")
    assert len(source.ContributingEquipmentSequence) == 2
    copy_marks(source, target)
    target.save_as(tmp_path / "target.dcm")
    assert errors(path) == errors(tmp_path / "target.dcm") == [TOO_OLD]


def test_marks_add_no_error_to_what_itk_and_monai_write(tmp_path, warm):
    pytest.importorskip("importlib.util").find_spec("itk") or pytest.skip("itk is not installed")
    source = write_synthetic_dicom(VOLUME, AFFINE, tmp_path / "mr", modality="MR", record=RECORD)[0]
    done = warm(["-c", WRITTEN, source, tmp_path])
    assert done.returncode == 0, done.stderr
    for name in ("itk", "monai"):
        before, after = errors(tmp_path / f"{name}_bare.dcm"), errors(tmp_path / f"{name}_marked.dcm")
        print(f"{name}: {len(before)} errors of its own, {len(after)} with our marks")
        assert pydicom.dcmread(tmp_path / f"{name}_marked.dcm").SyntheticData == "YES"
        assert sorted(after) == sorted([*before, TOO_OLD]), np.setdiff1d(after, before)
