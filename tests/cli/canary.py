# SPDX-License-Identifier: Apache-2.0
"""Improbable names, numbers and dates of people, files that hold them everywhere, and the search for any form."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import unicodedata
import urllib.parse

import nibabel as nib
import numpy as np
import pydicom
from PIL import Image, PngImagePlugin
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

NAME, FIRST, ID = "Kanarienvögel", "Zwitscheria", "KNR-4711-0815"
BIRTH, ISO, ACCESSION, WARD, SECRET = "19470815", "1947-08-15", "ACC90210KNR", "Piepmatzklinikum", "geheimnis4711"
CARET = f"{NAME}^{FIRST}"
#: what may come out nowhere; shorter parts of them would be found by chance
TOKENS = (NAME, FIRST, ID, BIRTH, ISO, ACCESSION, WARD, SECRET)
#: a folder and the beginning of a file's name
FOLDER, FILE = f"{NAME}_{BIRTH}", f"{NAME}_{ID}_{ACCESSION}"


def forms(token):
    """The forms in which a token might come out, lower case, as bytes."""
    plain = {token, *(unicodedata.normalize(form, token) for form in ("NFC", "NFD"))}
    ascii_ = unicodedata.normalize("NFD", token).encode("ascii", "ignore").decode()
    plain |= {token.replace("ö", "oe"), token.upper(), token.casefold(), token[::-1], ascii_, ascii_[::-1]}
    found = set()
    for text in plain:
        data = text.encode()
        found |= {data, text.encode("utf-16-le"), data.hex().encode(), html.escape(text).encode()}
        found |= {urllib.parse.quote(text).encode(), json.dumps(text)[1:-1].encode(), ascii(text)[1:-1].encode()}
        found |= {text.encode("ascii", "xmlcharrefreplace"), text.encode("latin-1", "ignore")}
    found = {item.lower() for item in found}
    for text in {token, token.upper(), token.lower()}:
        for end in ("", "\n"):
            data = (text + end).encode()
            found |= {hashlib.new(name, data).hexdigest().encode() for name in ("md5", "sha1", "sha256")}
    return found


def encoded(token):
    """Base64 of a token: its three alignments, whose ends depend on what stands beside; case counts."""
    data = token.encode()
    return {base64.b64encode(b"\0" * shift + data)[-(-shift * 4 // 3) + (shift > 0) : -4] for shift in range(3)}


FORMS = {token: forms(token) for token in (*TOKENS, CARET, f"{FIRST} {NAME}")}
ENCODED = {token: {item for item in encoded(token) if len(item) >= 8} for token in TOKENS}


def found_in(data):
    """The tokens that stand in some bytes, in any form."""
    small = data.lower()
    return [token for token, known in FORMS.items() if any(form in small for form in known)] + [
        f"base64 of {token}" for token, known in ENCODED.items() if any(form in data for form in known)
    ]


def dicom(path, seed=0, **more):
    """A readable DICOM file whose every text is a token."""
    dataset = pydicom.Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = CARET, ID, BIRTH
    dataset.IssuerOfPatientID, dataset.InstitutionName, dataset.AccessionNumber = WARD, WARD, ACCESSION
    dataset.OtherPatientIDs = f"{ID}-B"
    dataset.StudyDescription = dataset.SeriesDescription = f"{NAME} head"
    dataset.private_block(0x0099, WARD, create=True).add_new(1, "LO", NAME)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY"]
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = np.random.default_rng(seed).integers(0, 999, (16, 16), dtype=np.uint16).tobytes()
    for name, value in more.items():
        setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def nifti(path, seed):
    """A bright block in noise, large enough for a watermark."""
    values = np.random.default_rng(seed).normal(0, 8, size=(32, 32, 24)).astype(np.float32)
    values[2:-2, 2:-2, 2:-2] += 500
    image = nib.Nifti1Image(values, np.eye(4))
    image.header["db_name"], image.header["descrip"] = ID.encode(), f"{FIRST} {ISO}".encode()
    nib.save(image, path)


def png(path, seed):
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", f"{FIRST} {ID}")
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(path, pnginfo=text)


def write(path, text):
    path.write_text(text, encoding="utf-8")


def images(folder):
    """Images of every kind, and broken ones."""
    dicom(folder / f"{FILE}.dcm")
    dicom(folder / f"{ID}.ima", seed=1)
    nifti(folder / f"sub-{ID}.nii.gz", seed=2)
    nifti(folder / f"{NAME}.nii", seed=3)
    png(folder / f"{NAME}.png", seed=4)
    (folder / f"bad_{NAME}.nii.gz").write_bytes(b"\x1f\x8b" + NAME.encode())
    (folder / f"bad_{NAME}.dcm").write_bytes(bytes(128) + b"DICM" + f"{NAME} {ISO}".encode())
    (folder / f"bad_{NAME}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + NAME.encode())


def documents(folder):
    """Tables, consents, policies, plans and claims."""
    write(folder / "consents.csv", f"patient_id,issuer,purposes,permit\n{ID},{WARD},training,yes\n")
    write(folder / "wrong.csv", f"patient_id,issuer,purposes,permit\n{ID},{WARD},{NAME},maybe\n")
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "subject": {"identifier": {"value": ID, "system": WARD}, "display": NAME},
        "provision": [{"purpose": [{"code": "HRESCH"}], "period": {"start": "2026-01-01"}}],
    }
    write(folder / "consent.json", json.dumps(consent))
    consent["provision"] = [{"purpose": [{"code": NAME}], "period": {"start": NAME}}]
    write(folder / "wrong.json", json.dumps(consent))
    write(folder / "model.json", json.dumps({"model": {"name": "m"}, NAME: 1}))
    cases = [f"{FILE}_{number:02}.nii.gz" for number in range(24)]
    write(folder / f"{FILE}_dice.csv", "case,patient,dice\n" + "".join(
        f"{case},{ID}-{i},{0.5 + i / 60}\n" for i, case in enumerate(cases)))  # fmt: skip
    write(folder / f"{FILE}_wrong.csv", "case,patient,dice\n" + f"{cases[0]},{ID},{NAME}\n")
    write(folder / f"{FILE}_sex.csv", "case,sex,surname,birth,remark\n" + "".join(
        f"{case},{'FM'[i % 2]},{NAME} {i},{ISO if i % 3 else BIRTH},{f'{FIRST} {i}' if i < 9 else 'none'}\n"
        for i, case in enumerate(cases)))  # fmt: skip
    write(folder / f"{FILE}_odd.csv", f"{NAME},sex\n{ID},F\n")
    write(folder / f"{FILE}_policy.yaml", f"schema_version: '1'\ntitle: ours\n{NAME}: {ID}\n")
    write(
        folder / f"{FILE}_limits.yaml",
        "schema_version: '1'\ntitle: ours\nlimits: []\nrequired_checks: [fairness.group_scores]\n",
    )
    write(folder / f"{FILE}_claims.yaml", "schema_version: '1'\nclaims:\n"
          f"  - text: '{FIRST} {NAME}, born {ISO}, differs.'\n    results: ['{NAME}#{ID}']\n")  # fmt: skip
    write(folder / f"{FILE}_claims_wrong.yaml", f"schema_version: '1'\n{NAME}: [{ID}]\n")
    rows = [f"{share},{seed},{ID}-{i},{NAME} {i},{0.5 + i / 90 + share / 9}\n"
            for share in (0.0, 1.0) for seed in range(5) for i in range(12)]  # fmt: skip
    write(folder / f"{FILE}_sweep.csv", "real_fraction,seed,case,patient,score\n" + "".join(rows))
    write(folder / f"{FILE}_sweep_wrong.csv", f"real_fraction,seed,case,score\n{NAME},{ID},1,{BIRTH}\n")
    write(folder / f"{FILE}_config.json", json.dumps({"run": [], NAME: ID}))
    write(folder / f"{FILE}_broken.json", f'{{"run": {NAME}')


def features(folder):
    """Arrays of features whose patients, sites and attributes are tokens."""
    rng = np.random.default_rng(5)
    for role, shift in (("train", 0), ("holdout", 100), ("synthetic", 200)):
        names = np.array([f"{ID}-{NAME}-{shift + i}" for i in range(60)])
        label = np.array(["F", "M"] * 30)
        remark = np.array([f"{FIRST} {i}" for i in range(60)])
        np.savez(folder / f"{FILE}_{role}.npz", features=rng.normal(size=(60, 6)).astype(np.float32), patient=names,
                 sex=label, remark=remark)  # fmt: skip
    np.savez(folder / f"{FILE}_wrong.npz", features=rng.normal(size=(6, 4)), patient=np.array([NAME] * 3))


def planted(folder):
    """A folder, named by a token, of all of it."""
    data = folder / FOLDER
    data.mkdir()
    images(data)
    documents(data)
    features(data)
    model = data / f"{NAME}_model"
    model.mkdir()
    (model / f"{ID}.pt").write_bytes(b"weights")
    return data


def public_files(place, data):
    """What others may be given: all that was written but `private/`; of marked images only what was added to them."""
    for path in place.rglob("*"):
        own = data in path.parents and ".prov." not in path.name
        # a signature in the OpenSSF format names the files of the folder that it signs: the format asks for it
        own = own or path.suffix == ".sig"
        if path.is_file() and "private" not in path.parts and not own:
            yield path
