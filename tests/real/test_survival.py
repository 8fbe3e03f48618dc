# SPDX-License-Identifier: Apache-2.0
"""Which marks survive which path, by real archives, converters and readers: docs/reference/mark-survival.md."""

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.pixels.decoders import JPEGLosslessSV1Decoder

sys.path.insert(0, str(Path(__file__).parent))
import orthanc_server
from survival_originals import DICOM, EVERY, NIFTI, PNG, Originals, carry, row, table

pytestmark = pytest.mark.real
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mark-survival.md"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("keys")))
        yield Originals.make(tmp_path_factory.mktemp("originals"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    if orthanc_server.program() is None:
        pytest.skip("Orthanc is not installed: its rows of the table are not checked")
    server = orthanc_server.Orthanc(tmp_path_factory.mktemp("orthanc"))
    yield server
    server.close()


def on_page(title):
    """The table below a heading of the page, by path."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return {line.split("|")[1].strip(): line for line in lines[2:]}


def agree(title, rows, columns):
    """Print the table, and compare each row with that of the page."""
    lines = table(rows, columns)
    print(f"\n{title}\n" + "\n".join(lines))
    page = on_page(title)
    assert [line for line in lines[2:] if page.get(line.split("|")[1].strip()) != line] == []


def run(*words):
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed: its rows of the table are not checked")
    subprocess.run(list(map(str, words)), check=True, capture_output=True)


# DICOM ----------------------------------------------------------------------------------------------------------------


def archived(server, source, number, folder):
    """What an archive hands out of one file: by path, the file."""
    anonymize, replaced = f"/instances/{number}/anonymize", {"Replace": {"PatientName": "OTHER^NAME"}}
    answers = {
        "Orthanc, REST upload and download": server.call(f"/instances/{number}/file"),
        "Orthanc, modify": server.call(f"/instances/{number}/modify", replaced),
        "Orthanc, anonymize": server.call(anonymize, {}),
        "Orthanc, anonymize, private tags kept": server.call(anonymize, {"KeepPrivateTags": True}),
        "Orthanc, anonymize by the rules of 2008": server.call(anonymize, {"DicomVersion": "2008"}),
    }
    assert answers["Orthanc, REST upload and download"] == source.read_bytes()
    for place, (path, data) in enumerate(answers.items()):
        target = folder / f"{place}.dcm"
        target.write_bytes(data)
        yield path, target


def test_marks_of_dicom_in_an_archive(originals, archive, tmp_path):
    source, rows = originals.dicom, {}
    sent = tmp_path / "sent.dcm"
    sent.write_bytes(archive.call(f"/instances/{archive.store(originals.series[1])}/file"))
    rows["Orthanc, C-STORE and download"] = row(originals.series[1], sent, originals.log)
    number = archive.upload(source)
    for path, target in archived(archive, source, number, tmp_path):
        rows[path] = row(source, target, originals.log)
    found = archive.call("/tools/find", {"Level": "Instance", "Query": {"0008,001c": "YES"}})
    assert number in found.decode()
    print(f"Orthanc {archive.version}: /tools/find by (0008,001C) YES finds the marked files")
    agree("DICOM", rows, (*DICOM, *EVERY))
    assert {one["deny-list"] for one in rows.values()} == {"refused"}
    assert {one["SyntheticData"] for one in rows.values()} == {"kept"}


TRANSCODES = {
    "dcmconv +ti (implicit)": [("dcmconv", "+ti")],
    "dcmcrle (RLE)": [("dcmcrle",)],
    "dcmcjpeg, dcmdjpeg (JPEG lossless and back)": [("dcmcjpeg",), ("dcmdjpeg",)],
    "dcmcjpeg (JPEG lossless, no decoder here)": [("dcmcjpeg",)],
    "dcmcjpeg +eb (JPEG of 8 bits, lossy)": [("dcmcjpeg", "+eb")],
}


def test_marks_of_dicom_through_transcodes(originals, tmp_path):
    rows = {}
    for place, (path, steps) in enumerate(TRANSCODES.items()):
        file = originals.dicom
        for step, words in enumerate(steps):
            target = tmp_path / f"{place}_{step}.dcm"
            run(*words, file, target)
            file = target
        if "no decoder" not in path or not JPEGLosslessSV1Decoder.is_available:
            rows[path] = row(originals.dicom, file, originals.log)
    agree("DICOM", rows, (*DICOM, *EVERY))
    assert {one["deny-list"] for one in rows.values()} == {"refused"}


def test_a_flag_turned_over_is_a_conflict(originals, tmp_path):
    """And a published profile that removes flag, equipment and private tags leaves the values."""
    shutil.copy(originals.dicom, tmp_path / "no.dcm")
    run("dcmodify", "-nb", "-m", "(0008,001c)=NO", tmp_path / "no.dcm")
    dataset = pydicom.dcmread(originals.dicom)
    for name in ("SyntheticData", "ContributingEquipmentSequence", "SeriesDescription", "DerivationDescription"):
        del dataset[name]
    dataset.remove_private_tags()
    dataset.save_as(tmp_path / "profile.dcm")
    rows = {
        "dcmodify, the flag set to NO": row(originals.dicom, tmp_path / "no.dcm", originals.log),
        "a challenge's profile of 2025": row(originals.dicom, tmp_path / "profile.dcm", originals.log),
    }
    agree("DICOM", rows, (*DICOM, *EVERY))
    assert {one["deny-list"] for one in rows.values()} == {"refused"}


def test_marks_of_dicom_through_an_anonymizer(originals, tmp_path):
    dicomanonymizer = pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    rows = {}
    for path, keep in {"dicom-anonymizer": True, "dicom-anonymizer --keepPrivateTags": False}.items():
        target = tmp_path / f"{keep}.dcm"
        dicomanonymizer.anonymize(str(originals.dicom), str(target), {}, keep)
        rows[path] = row(originals.dicom, target, originals.log)
    agree("DICOM", rows, (*DICOM, *EVERY))
    assert {one["deny-list"] for one in rows.values()} == {"refused"}


def test_marks_of_dicom_by_copies(originals, tmp_path):
    (tmp_path / "named").mkdir()
    rows = {
        "copied with the sidecar": row(originals.dicom, carry(originals.dicom, tmp_path, sidecar=True), originals.log),
        "copied alone, renamed": row(originals.dicom, carry(originals.dicom, tmp_path, name="x.dcm"), originals.log),
    }
    agree("DICOM", rows, (*DICOM, *EVERY))
    assert {one["deny-list"] for one in rows.values()} == {"refused"}


# NIfTI ----------------------------------------------------------------------------------------------------------------


def by_nibabel(source, folder):
    """Path and file of what nibabel makes of a NIfTI file."""
    image = nib.load(source)
    whole, half = np.asanyarray(image.dataobj), 0.5 * image.get_fdata()
    made = {
        "nibabel, load and save": image,
        "nibabel, Nifti1Image(array, affine, header)": nib.Nifti1Image(whole, image.affine, image.header),
        "nibabel, Nifti1Image(array, affine)": nib.Nifti1Image(whole, image.affine),
        "nibabel, as_closest_canonical": nib.as_closest_canonical(image),
        "nibabel, slicer: one slice": image.slicer[:, :, 20:21],
        "nibabel, slicer: a crop": image.slicer[4:-4, 4:-4, 4:-4],
        "nibabel, Nifti2Image": nib.Nifti2Image.from_image(image),
        "nibabel, as MGH (.mgz)": nib.MGHImage(whole.astype(np.float32), image.affine),
        "nibabel, values halved, with the header": nib.Nifti1Image(half, image.affine, image.header),
        "nibabel, values halved, without the header": nib.Nifti1Image(half, image.affine),
    }
    for place, (path, what) in enumerate(made.items()):
        target = folder / f"{place}{'.mgz' if 'MGH' in path else '.nii'}"
        if "halved" in path:
            what.set_data_dtype(np.float32)
        nib.save(what, target)
        yield path, target


def test_marks_of_nifti_in_nibabel_and_copies(originals, tmp_path):
    source = originals.nifti
    rows = {path: row(source, target, originals.log) for path, target in by_nibabel(source, tmp_path)}
    packed = tmp_path / "packed.nii.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    rows |= {
        "gzip": row(source, packed, originals.log),
        "copied with the sidecar": row(source, carry(source, tmp_path, sidecar=True), originals.log),
        "copied alone, renamed": row(source, carry(source, tmp_path, name="x.nii"), originals.log),
    }
    agree("NIfTI", rows, (*NIFTI, *EVERY))
    same = {path for path, one in rows.items() if one["voxel_v1"] != "other"}
    assert {rows[path]["deny-list"] for path in same} == {"refused"}


ITK = """
import sys, itk
from pathlib import Path
nifti, png, dicom, out = map(Path, sys.argv[1:])
def save(image, name):
    itk.imwrite(image, str(out / name))
save(itk.imread(str(nifti)), "plain.nii")
save(itk.imread(str(nifti)), "over.nrrd")
save(itk.imread(str(nifti)), "over.mha")
save(itk.imread(str(out / "over.nrrd")), "over.nii")
save(itk.median_image_filter(itk.imread(str(nifti)), radius=0), "filter.nii")
save(itk.imread(str(png)), "plain.png")
names = itk.GDCMSeriesFileNames.New(Directory=str(dicom))
save(itk.imread([str(name) for name in names.GetInputFileNames()]), "series.nii")
"""


@pytest.fixture(scope="module")
def by_itk(originals, tmp_path_factory):
    """What ITK makes of the files; in a process of its own, since importing it where warnings are errors crashes."""
    folder = tmp_path_factory.mktemp("itk")
    words = [originals.nifti, originals.png, originals.series[0].parent, folder]
    done = subprocess.run([sys.executable, "-c", ITK, *map(str, words)], capture_output=True, text=True, check=False)
    if "No module named 'itk'" in done.stderr:
        pytest.skip("itk is not installed: its rows of the table are not checked")
    assert done.returncode == 0, done.stderr
    return folder


def test_marks_of_nifti_in_itk(originals, by_itk):
    files = {
        "ITK, read and write": "plain.nii",
        "ITK, as NRRD": "over.nrrd",
        "ITK, as MetaImage (.mha)": "over.mha",
        "ITK, through NRRD and back": "over.nii",
        "ITK, read, filter, write": "filter.nii",
    }
    rows = {path: row(originals.nifti, by_itk / name, originals.log) for path, name in files.items()}
    rows["ITK, DICOM series to NIfTI"] = row(originals.dicom, by_itk / "series.nii", originals.log)
    agree("NIfTI", rows, (*NIFTI, *EVERY))
    assert {one["deny-list"] for one in rows.values()} == {"refused"}


# MONAI, pictures ------------------------------------------------------------------------------------------------------

MONAI = """
import sys
from contextlib import nullcontext
from pathlib import Path
from monai.transforms import LoadImage, SaveImage
from monai_ethics.transforms import keep_marks
nifti, png, out = map(Path, sys.argv[1:])
for name, block in (("stock", nullcontext), ("kept", keep_marks)):
    for path, ending in ((nifti, ".nii"), (png, ".png")):
        with block():
            image = LoadImage(ensure_channel_first=True, reader="ITKReader" if ending == ".png" else None)(path)
            save = SaveImage(out / name, output_ext=ending, separate_folder=False, print_log=False, output_postfix="")
            if ending == ".png":
                save.set_options(init_kwargs={"scale": None})
            save(image)
"""


@pytest.fixture(scope="module")
def by_monai(originals, tmp_path_factory, warm):
    folder = tmp_path_factory.mktemp("monai")
    done = warm(["-c", MONAI, originals.nifti, originals.png, folder])
    assert done.returncode == 0, done.stderr
    return folder


def test_marks_through_monai_by_default(originals, by_monai):
    """One pair each; all 170 pairs of readers and writers are in tests/transforms/test_marks.py."""
    names = {"stock": "MONAI, LoadImage and SaveImage", "kept": "the same within keep_marks()"}
    for title, columns, source in (("NIfTI", NIFTI, originals.nifti), ("PNG", PNG, originals.png)):
        rows = {path: row(source, by_monai / name / source.name, originals.log) for name, path in names.items()}
        agree(title, rows, (*columns, *EVERY))
        assert {one["deny-list"] for one in rows.values()} == {"refused"}


def test_marks_of_png(originals, by_itk, tmp_path):
    source = originals.png
    picture = Pillow.open(source)
    picture.save(tmp_path / "plain.png")
    picture.convert("RGB").save(tmp_path / "color.png")
    picture.save(tmp_path / "photo.jpg", quality=90)
    picture.save(tmp_path / "photo.bmp")
    files = {
        "Pillow, open and save": tmp_path / "plain.png",
        "Pillow, grey to RGB": tmp_path / "color.png",
        "Pillow, as BMP": tmp_path / "photo.bmp",
        "Pillow, as JPEG of quality 90": tmp_path / "photo.jpg",
        "ITK, read and write": by_itk / "plain.png",
        "copied with the sidecar": carry(source, tmp_path, sidecar=True),
        "copied alone, renamed": carry(source, tmp_path, name="x.png"),
    }
    rows = {path: row(source, target, originals.log) for path, target in files.items()}
    agree("PNG", rows, (*PNG, *EVERY))


# the page -------------------------------------------------------------------------------------------------------------


def test_the_page_has_no_row_that_no_test_fills():
    text = Path(__file__).read_text(encoding="utf-8")
    rows = [path for title in ("DICOM", "NIfTI", "PNG") for path in on_page(title)]
    assert len(rows) > 30
    assert [path for path in rows if f'"{path}"' not in text] == []


def test_the_page_names_what_is_admitted():
    """Whatever the guard admits is told in words, not in the table alone."""
    text = PAGE.read_text(encoding="utf-8")
    admitted = len(re.findall(r"\| ADMITTED \|", text))
    assert f"{admitted} of {sum(len(on_page(t)) for t in ('DICOM', 'NIfTI', 'PNG'))} rows" in text
