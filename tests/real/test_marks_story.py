# SPDX-License-Identifier: Apache-2.0
"""The way of docs/tutorials/keep-synthetic-images-marked.md through a real archive, with every mark looked at."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import orthanc_server
from survival_originals import brain

from monai_ethics.__main__ import main
from monai_ethics.errors import GateError
from monai_ethics.provenance.marks.dicom import DicomOptions
from monai_ethics.provenance.marks.dicom_writer import write_synthetic_dicom
from monai_ethics.provenance.marks.peek import peek_all, peek_marks
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.registry.admission import RegistryJudge, refuse

pytestmark = pytest.mark.real
RECORD = {"type": "synthesis", "model": {"name": "head generator", "version": "1"}}
MONAI = """
import sys
from contextlib import nullcontext
from monai.transforms import LoadImage, SaveImage
from monai_ethics.transforms import keep_marks
source, reader, target, ours = sys.argv[1:]
with keep_marks() if ours == "ours" else nullcontext():
    image = LoadImage(reader=reader, ensure_channel_first=True)(source)
    SaveImage(print_log=False)(image, filename=target)
"""


@pytest.fixture
def archive(tmp_path):
    if orthanc_server.program() is None:
        pytest.skip("Orthanc is not installed: the way through an archive is not taken")
    server = orthanc_server.Orthanc(tmp_path)
    yield server
    server.close()


@pytest.fixture
def through_monai(warm):
    def saved(source, reader, target, *, ours=False):
        done = warm(["-c", MONAI, source, reader, target, "ours" if ours else "stock"])
        assert done.returncode == 0, done.stderr
        return target.with_name(target.name + ".nii.gz")

    return saved


def anonymized(archive, files, folder):
    """The series as the archive hands it out after its own anonymization of the whole study."""
    numbers = [archive.store(file) for file in files]
    study = json.loads(archive.call(f"/instances/{numbers[0]}/study"))["ID"]
    wanted = {"Replace": {"PatientID": "CASE-17"}, "Force": True}
    made = json.loads(archive.call(f"/studies/{study}/anonymize", wanted))
    folder.mkdir()
    instances = json.loads(archive.call(f"/studies/{made['ID']}/instances"))
    for place, one in enumerate(instances):
        (folder / f"{place:02}.dcm").write_bytes(archive.call(f"/instances/{one['ID']}/file"))
    return sorted(folder.iterdir())


def scans(folder):
    """Acquired images, as far as anybody here knows."""
    rng = np.random.default_rng(1)
    for number in range(3):
        nib.save(nib.Nifti1Image(rng.normal(300, 80, (20, 20, 8)), np.eye(4)), folder / f"case_{number}.nii.gz")


def test_a_synthetic_image_is_refused_at_the_end_of_its_way(archive, through_monai, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    record = Record.from_dict({**RECORD, "synthetic": "yes"}).to_dict()
    affine, site = np.diag([-1.0, -1.0, 3.0, 1.0]), tmp_path / "site_log"
    files = write_synthetic_dicom(
        brain()[:, :, 10:30],
        affine,
        tmp_path / "made",
        modality="MR",
        record=record,
        options=DicomOptions(overlay=True),
    )
    (tmp_path / "record.json").write_text(json.dumps(RECORD))
    words = ["--synthetic", "--record", str(tmp_path / "record.json"), "--out", str(site)]
    assert main(["stamp", str(tmp_path / "made"), *words]) == 0

    received = anonymized(archive, files, tmp_path / "anonymized")
    first = pydicom.dcmread(received[0])
    assert (len(received), first.PatientID, first.SyntheticData) == (20, "CASE-17", "YES")
    assert peek_all([tmp_path / "anonymized"]).synthetic == "yes"
    assert main(["guard", str(tmp_path / "anonymized"), "--policy", "deny-list", "--site", str(site)]) == 1

    (tmp_path / "training").mkdir()
    kept = through_monai(tmp_path / "anonymized", "PydicomReader", tmp_path / "kept", ours=True)
    assert peek_marks(kept).synthetic == "yes"
    converted = through_monai(tmp_path / "anonymized", "PydicomReader", tmp_path / "converted")
    last = through_monai(converted, "NibabelReader", tmp_path / "training" / "case_17")
    assert (peek_marks(converted).synthetic, peek_marks(last).synthetic) == (None, None)

    scans(tmp_path / "training")
    capsys.readouterr()
    assert main(["guard", str(tmp_path / "training"), "--policy", "deny-list", "--site", str(site), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["refused"], told["items"][2]["kind"]) == ([3], "synthetic-by-digest")
    items = [{"image": str(path)} for path in sorted((tmp_path / "training").iterdir())]
    with pytest.raises(GateError, match=r"1 of 4 items are refused, at 3 .*synthetic-by-digest"):
        refuse(RegistryJudge("deny-list", site=site).judge(items))
    print(
        f"\nOrthanc {archive.version}: {len(received)} files by C-STORE, anonymized as a study, to NIfTI, saved again:"
    )
    print("flag kept by archive and anonymizer, lost by MONAI alone (kept with keep_marks), refused by its slices")
