# SPDX-License-Identifier: Apache-2.0
"""Names, numbers and dates of people are planted wherever a command looks; none may come out anywhere."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from monai_ethics.__main__ import main

pytestmark = pytest.mark.slow
CANARIES = ("canaryname", "cnr-4711", "19470815", "1947-08-15", "canaryward", "canarysecret")


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home") / "keys"
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(home))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    return home


def dicom(path, seed=0):
    dataset = pydicom.Dataset()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "CANARYNAME^JANE", "CNR-4711", "19470815"
    dataset.IssuerOfPatientID = "CANARYWARD"
    dataset.OtherPatientIDs = "CNR-4711-B"
    dataset.StudyDescription = dataset.SeriesDescription = "canaryname head"
    dataset.private_block(0x0099, "CANARYWARD", create=True).add_new(1, "LO", "CANARYNAME")
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY"]
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = np.random.default_rng(seed).integers(0, 999, (16, 16), dtype=np.uint16).tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "CANARYNAME_19470815"
    folder.mkdir()
    dicom(folder / "canaryname.dcm")
    dicom(folder / "CNR-4711.ima", seed=1)
    array = np.random.default_rng(2).normal(100, 30, size=(8, 8, 4)).astype(np.float32)
    image = nib.Nifti1Image(array, np.eye(4))
    image.header["db_name"] = b"CANARYNAME"
    nib.save(image, folder / "sub-CNR-4711.nii.gz")
    (folder / "bad_canaryname.nii.gz").write_bytes(b"\x1f\x8bcanaryname")
    (folder / "bad_canaryname.dcm").write_bytes(bytes(128) + b"DICMcanaryname 1947-08-15")
    (folder / "bad_canaryname.png").write_bytes(b"\x89PNG\r\n\x1a\ncanaryname")
    (folder / "consents.csv").write_text("patient_id,issuer,purposes,permit\nCNR-4711,CANARYWARD,training,yes\n")
    (folder / "wrong.csv").write_text("patient_id,issuer,purposes,permit\nCNR-4711,CANARYWARD,canaryname,maybe\n")
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "subject": {"identifier": {"value": "CNR-4711", "system": "CANARYWARD"}, "display": "canaryname"},
        "provision": [{"purpose": [{"code": "HRESCH"}], "period": {"start": "2026-01-01"}}],
    }
    (folder / "consent.json").write_text(json.dumps(consent))
    consent["provision"] = [{"purpose": [{"code": "canaryname"}], "period": {"start": "canaryname"}}]
    (folder / "wrong.json").write_text(json.dumps(consent))
    (folder / "model.json").write_text(json.dumps({"model": {"name": "m"}, "canaryname": 1}))
    return folder


def public_files(tmp_path, data):
    """What others may be given: all that the commands wrote but `private/`; of marked images only what was added."""
    for path in tmp_path.rglob("*"):
        if path.is_file() and "private" not in path.parts and (data not in path.parents or ".prov." in path.name):
            yield path


def commands(data, out):
    good = [str(data / name) for name in ("canaryname.dcm", "CNR-4711.ima", "sub-CNR-4711.nii.gz")]
    evidence, site = str(out / "evidence"), str(out / "site")
    patient = ["--patient", "CNR-4711", "--issuer", "CANARYWARD"]
    guard = ["--policy", "deny-list", "--evidence", evidence]
    yield from (["stamp", str(data / f"bad_canaryname{end}"), "--synthetic", "--out", evidence]
                for end in (".nii.gz", ".dcm", ".png"))  # fmt: skip
    yield ["stamp", good[0], "--synthetic", "--out", evidence, "--record", str(data / "model.json")]
    yield ["stamp", good[0], "--synthetic", "--out", evidence, "--record", str(data / "canaryname.json")]
    yield ["stamp", *good[:1], *good[2:], "--synthetic", "--out", evidence]
    yield ["stamp", good[1], "--real", "--out", evidence, "--json"]
    yield ["stamp", good[1], "--synthetic", "--out", evidence]
    for end in ((), ("--json",)):
        yield ["guard", *good, *guard, *end]
        yield ["verify", *good, "--evidence", evidence, *end]
        yield ["verify", evidence, *end]
        yield ["lineage", evidence, *patient, *end]
        yield ["lineage", evidence, "--of", good[0], *end]
        yield ["lineage", evidence, *end]
    yield ["guard", str(data), *guard]
    yield ["lineage", evidence, "--of", "canaryname"]
    yield ["lineage", evidence, "--store", "postgresql+psycopg://canaryname:canarysecret@127.0.0.1:1/canaryward"]
    yield ["lineage", evidence, "--store", "mysql://canaryname:canarysecret@127.0.0.1/x"]
    yield ["lineage", evidence, "--store", str(data / "canaryname.dcm")]
    consent = ["consent", "record", "--site", site]
    yield [*consent, *patient, "--purposes", "training", "--document", str(data / "consent.json")]
    yield [*consent, *patient, "--purposes", "canaryname"]
    yield [*consent, *patient, "--purposes", "training", "--from", "canaryname"]
    yield from ([*consent, "--table", str(data / name)] for name in ("consents.csv", "wrong.csv", "canaryname.csv"))
    yield from ([*consent, "--fhir", str(data / name)] for name in ("consent.json", "wrong.json", "canaryname.png"))
    yield [*consent, "--dicom", str(data / "canaryname.dcm")]
    yield [*consent, "--dicom", str(data / "bad_canaryname.dcm")]
    yield ["consent", "record", "--site", site, "--patient", "CNR-4711", "CANARYNAME"]
    yield ["consent", "status", "--site", site, *patient]
    yield ["consent", "status", "--site", site, "--json"]
    receipt = ["--receipt", str(out / "receipt.json")]
    yield ["consent", "withdraw", "--site", site, *patient, "--evidence", evidence, *receipt]
    yield ["consent", "withdraw", "--site", site, *patient, "--receipt", str(data / "canaryname" / "receipt.json")]
    yield ["consent", "receipt", str(out / "receipt.json"), "--json"]
    yield ["consent", "receipt", str(data / "consent.json")]
    yield ["consent", "erase", "--site", site, *patient]
    yield ["consent", "erase", "--site", site, *patient]
    yield ["sign-model", str(data), "--out", str(data / "canaryname" / "x.sig")]
    yield ["sign-model", str(data / "canaryname"), "--out", str(out / "x.sig")]
    mark = ["--out", str(out / "marked"), "--evidence", evidence]
    yield ["watermark", "embed", good[2], *mark]
    yield ["watermark", "embed", str(data / "bad_canaryname.nii.gz"), *mark]
    yield ["watermark", "detect", good[2]]
    yield ["report", evidence]
    for form in ("prov-json", "ro-crate", "cyclonedx", "bids", "croissant"):
        (out / form).mkdir()
        files = ["--files", good[2], "--about", "synthetic"] if form == "croissant" else []
        export = ["export", evidence, "--format", form, "--out", str(out / form), "--name", "set", "--creator", "us"]
        yield [*export, "--license", "CC-BY-4.0", "--url", "https://example.org/", "--version", "1.0.0", *files]


def test_no_command_of_provenance_repeats_whose_images_these_are(data, tmp_path, capsys):
    """Statements signed for a file, and the marks in it, are part of what is read: sidecars and private block."""
    told, out = [], tmp_path / "out"
    out.mkdir()
    for words in commands(data, out):
        code = main(words)
        captured = capsys.readouterr()
        told.append((words[:2], code, captured.out + captured.err))
    leaks = [(words, code, text) for words, code, text in told if any(name in text.lower() for name in CANARIES)]
    assert not leaks
    assert {code for _, code, _ in told} == {0, 1, 2}
    for path in public_files(tmp_path, data):
        content = path.read_bytes().lower()
        found = [name for name in CANARIES if name.encode() in content or name.encode("utf-16-le") in content]
        assert not found, path.name
    marked = pydicom.dcmread(data / "canaryname.dcm")
    block = marked.private_block(0x0067, "MONAI_ETHICS 1.0")
    texts = [str(block[place].value).lower() for place in (1, 2)]
    equipment = str(marked.ContributingEquipmentSequence).lower()
    assert not [name for name in CANARIES if name in "".join([*texts, equipment])]
    assert (out / "receipt.json").exists()
    assert Path(out / "evidence" / "index.sqlite").exists()
