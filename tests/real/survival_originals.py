# SPDX-License-Identifier: Apache-2.0
"""The marked and registered synthetic files whose marks are followed, and what is left of each mark on a path."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from PIL import Image as Pillow

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.dicom_marks import CREATOR, GROUP
from monai_ethics.provenance.images.digest import FileDigests, digest_file
from monai_ethics.provenance.images.robust import NEAR, distance
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.dicom import DicomOptions, DistributionConsent
from monai_ethics.provenance.marks.dicom_writer import write_synthetic_dicom
from monai_ethics.provenance.marks.peek import peek_marks
from monai_ethics.provenance.marks.sidecar import sidecar_path
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_files

DICOM = (
    "SyntheticData",
    "ImageType",
    "equipment, record",
    "SeriesDescription",
    "DerivationDescription",
    "ContributionDescription",
    "private block",
    "consent",
    "overlay",
)
NIFTI = ("extension", "descrip")
PNG = ("XMP", "text chunk")
EVERY = ("sidecar", "voxel_v1", "robust_v1", "the guard says", "deny-list")
CONSENT = DistributionConsent(flag="YES", distribution="NAMED_PROTOCOL", protocol="P1")


def brain(shape: tuple[int, int, int] = (64, 60, 40)) -> np.ndarray:
    """A generated head: an ellipsoid with blobs, whole numbers up to 900."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    values = 400.0 * ((grid**2).sum(0) < 0.7)
    for center in rng.uniform(-0.5, 0.5, (12, 3)):
        values += rng.uniform(-150, 200) * np.exp(-20 * ((grid - center[:, None, None, None]) ** 2).sum(0))
    values = (values + rng.normal(0, 4, shape)) * (values > 20)
    return np.clip(values, 0, 900).round().astype(np.int16)


@dataclass(frozen=True)
class Originals:
    """The synthetic files as they were stamped, and the log that registers them."""

    dicom: Path
    series: tuple[Path, ...]
    nifti: Path
    png: Path
    log: Path

    @classmethod
    def make(cls, folder: Path) -> Originals:
        """Write, stamp and register a DICOM series, a NIfTI volume and a PNG, each of other values."""
        record = Record(type="synthesis", synthetic="yes", model={"name": "brain generator"}).to_dict()
        affine = np.diag([-1.2, -1.2, 3.0, 1.0])
        series = write_synthetic_dicom(
            brain()[:, :, 12:28:4],
            affine,
            folder / "series",
            modality="MR",
            record=record,
            attributes={"BodyPartExamined": "BRAIN"},
            options=DicomOptions(overlay=True, consents=[CONSENT]),
        )
        nifti, png = folder / "made.nii", folder / "made.png"
        nib.save(nib.Nifti1Image(brain()[::-1].copy() + np.int16(1), affine), nifti)
        Pillow.fromarray((brain()[:, :, 20].T / 4).astype(np.uint8)).save(png)
        log = folder / "site"
        with EvidenceLog.open(log, run_id="stamp") as site:
            for one in ([*series], [nifti], [png]):
                stamp_files(one, site, record={"model": {"name": "brain generator"}})
        return cls(dicom=series[2], series=tuple(series), nifti=nifti, png=png, log=log)


def carry(path: Path, folder: Path, *, name: str | None = None, sidecar: bool = False) -> Path:
    """A copy of a file, alone or with its sidecar."""
    target = folder / (name or path.name)
    shutil.copy(path, target)
    if sidecar:
        shutil.copy(sidecar_path(path), sidecar_path(target))
    return target


def row(original: Path, path: Path, log: Path) -> dict[str, str]:
    """What is left of each mark of a file in what a path made of it.

    Args:
        original: the stamped file.
        path: what the path made of it.
        log: the log that registers the original.
    """
    found: dict[str, str] = {}
    if original.suffix == ".dcm" and path.suffix == ".dcm":
        found |= _dicom(original, path)
    elif original.suffix == path.suffix or (original.suffix == ".nii" and path.suffix in (".gz", ".nrrd", ".mha")):
        before, after = peek_marks(original).layers, peek_marks(path).layers
        names = ("extension", "descrip") if original.suffix == ".nii" else ("xmp", "text")
        shown = NIFTI if original.suffix == ".nii" else PNG
        for name, column in zip(names, shown, strict=True):
            found[column] = _left(before.get(name), after.get(name))
    found["sidecar"] = "kept" if sidecar_path(path).exists() else "left behind"
    return found | _digests(original, path) | _verdict(path, log)


def _digests(original: Path, path: Path) -> dict[str, str]:
    before = digest_file(original, robust=True)
    try:
        after = digest_file(path, robust=True)
    except InputError:
        return {"voxel_v1": "not readable", "robust_v1": "none"}
    if before.voxel_v1 == after.voxel_v1:
        voxels = "same"
    elif set(after.slices) & set(before.slices):
        voxels = "other; slices same"
    else:
        voxels = "other"
    return {"voxel_v1": voxels, "robust_v1": _robust(before, after)}


def _robust(before: FileDigests, after: FileDigests) -> str:
    pair = (before.robust_v1, after.robust_v1)
    if pair[0] is None or pair[1] is None or len(pair[0]) != len(pair[1]):
        return "none"
    away = distance(*pair)
    return "same" if away == 0 else "near" if away <= NEAR else "far"


def _verdict(path: Path, log: Path) -> dict[str, str]:
    judged = admit([path], log, "deny-list").rows[0]
    return {"the guard says": judged.kind, "deny-list": "refused" if judged.refused else "ADMITTED"}


def _left(before: Any, after: Any) -> str:
    if before is None:
        return "never there"
    if after is None:
        return "lost"
    return "kept" if before == after else "changed"


def _dicom(original: Path, path: Path) -> dict[str, str]:
    before, after = pydicom.dcmread(original), pydicom.dcmread(path)
    found = {name: _left(_value(before, name), _value(after, name)) for name in DICOM}
    if found["equipment, record"] != "lost":
        assert peek_marks(path).names(str(peek_marks(original).record))
    return found


def _value(dataset: pydicom.Dataset, column: str) -> Any:
    if column == "equipment, record":
        names = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
        items = dataset.get("ContributingEquipmentSequence") or ()
        return [[str(item.get(name)) for name in names] for item in items] or None
    if column == "ContributionDescription":
        items = dataset.get("ContributingEquipmentSequence") or ()
        return [str(item.get(column)) for item in items if column in item] or None
    if column == "private block":
        try:
            block = dataset.private_block(GROUP, CREATOR)
            return [bytes(block[1].value, "utf-8") if isinstance(block[1].value, str) else block[1].value.rstrip(b" ")]
        except KeyError:
            return None
    if column == "consent":
        items = dataset.get("ConsentForClinicalTrialUseSequence")
        return None if items is None else [str(item.get("ConsentForDistributionFlag")) for item in items]
    if column == "overlay":
        element = dataset.get((0x6000, 0x3000))
        return None if element is None else bytes(element.value)
    value = dataset.get(column)
    return None if value is None else str(value)


def table(rows: dict[str, dict[str, str]], columns: tuple[str, ...]) -> list[str]:
    """Lines of a Markdown table, one row for each path."""
    lines = [f"| path | {' | '.join(columns)} |", "|" + " --- |" * (len(columns) + 1)]
    for path, found in rows.items():
        lines.append(f"| {path} | {' | '.join(found.get(name, 'no place') for name in columns)} |")
    return lines
