# SPDX-License-Identifier: Apache-2.0
"""Real images that are no part of the project, as folders of slices that a bundle reads; skipped where absent."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_ethics._resources import bundle_path
from monai_ethics.cohort.grid import FIELD_OF_VIEW_MM, image_affine, resample_file
from monai_ethics.cohort.lesions import load_lesion_bank

PROJECT = Path(__file__).parents[2]
PATIENTS = ("07", "19")  # never used for the weights: these two are held out
SIZE = 128
HEIGHTS_MM = (-10.0, 50.0)
CHUNK = 4  # lung CT: 512 pixels to 128
SDIST = "pyradiomics-3.0.1"
GET_SDIST = "pip download --no-deps --no-binary=:all: --no-build-isolation pyradiomics==3.0.1"


@pytest.fixture(scope="session")
def open_ms() -> Path:
    """Folder of open_ms_data (Lesjak et al. 2017, CC-BY)."""
    named = os.environ.get("MONAI_ETHICS_REAL_DATA")
    folder = Path(named) if named else PROJECT.parent / "shared" / "data" / "open_ms"
    if not (folder / "patient07" / "FLAIR.nii.gz").is_file():
        pytest.skip("open_ms_data is neither beside the project nor at $MONAI_ETHICS_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def lesion_bank(open_ms: Path):
    """The 27 real lesion maps that the weights know, without the two held-out patients."""
    held_out = [f"patient{number}_" for number in PATIENTS]
    paths = [p for p in (open_ms / "masks_mni").glob("*.nii.gz") if not p.name.startswith(tuple(held_out))]
    assert len(paths) == 27
    return load_lesion_bank(paths)


@pytest.fixture(scope="session")
def predict(warm: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[[Path, Path], None]:
    """Run the bundle's inference on a folder of slices with MONAI's own launcher."""

    def run(data: Path, out: Path) -> None:
        words = ["--config_file", "configs/inference.json", "--dataset_dir", str(data), "--output_dir", str(out)]
        done = warm(["-m", "monai.bundle", "run", *words], cwd=bundle_path("lesion_segmentation"))
        assert done.returncode == 0, done.stderr[-3000:]

    return run


@pytest.fixture(scope="session")
def flair_slices(open_ms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the slices of two real FLAIR brains on the bundle's grid; the file name begins with the patient."""
    table_text = (open_ms / "patient_info.csv").read_text(encoding="utf-8")
    people = {int(row["patient_id"]): row for row in csv.DictReader(table_text.splitlines())}
    folder = tmp_path_factory.mktemp("flair")
    items, table = [], []
    for number in PATIENTS:
        source = open_ms / f"patient{number}"
        image = resample_file(source / "FLAIR.nii.gz", SIZE + 1).numpy()
        label = resample_file(source / "lesions.nii.gz", SIZE + 1, above=0.5).numpy() > 0.5
        heights = np.linspace(-FIELD_OF_VIEW_MM / 2, FIELD_OF_VIEW_MM / 2, SIZE + 1) + 8.0
        for z in np.flatnonzero((heights >= HEIGHTS_MM[0]) & (heights <= HEIGHTS_MM[1])):
            affine = image_affine((SIZE, SIZE), height_mm=float(heights[z]))
            pair = (image[:SIZE, :SIZE, z], label[:SIZE, :SIZE, z])
            items.append(_write_slice(folder, f"patient{number}_z{z:03d}", pair, affine))
        person = people[int(number)]
        table.append({"participant_id": f"patient{number}", "sex": person["sex"], "age": person["age"]})
    return _finish(folder, items, table)


@pytest.fixture(scope="session")
def lung_slices(pyradiomics: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the slices of two lung CTs and their tumor masks at 128 x 128; no attributes are known."""
    folder = tmp_path_factory.mktemp("lung")
    items = []
    for patient in ("lung1", "lung2"):
        image, spacing = _read_nrrd(pyradiomics / f"{patient}_image.nrrd")
        spacing = spacing * (CHUNK, CHUNK, 1)
        hounsfield = _reduce(image)
        label = _reduce(_read_nrrd(pyradiomics / f"{patient}_label.nrrd")[0] > 0) > 0.5
        for z, pair in enumerate(zip(hounsfield, label, strict=True)):
            affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
            affine[2, 3] = z * spacing[2]
            items.append(_write_slice(folder, f"{patient}_z{z:03d}", pair, affine))
    table = [{"participant_id": patient, "sex": "n/a", "age": "n/a"} for patient in ("lung1", "lung2")]
    return _finish(folder, items, table)


@pytest.fixture(scope="session")
def pyradiomics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``data`` folder of pyradiomics' source distribution, read as files and never installed."""
    named = os.environ.get("MONAI_ETHICS_PYRADIOMICS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "monai_ethics" / f"{SDIST}.tar.gz"
    path = Path(named) if named else cache
    if path.is_dir():
        return next((p for p in (path, path / "data") if (p / "lung1_image.nrrd").is_file()), path)
    if not path.is_file():
        pytest.skip(f"{SDIST}.tar.gz is neither at $MONAI_ETHICS_PYRADIOMICS nor in the cache folder: `{GET_SDIST}`")
    folder = tmp_path_factory.mktemp("pyradiomics")
    with tarfile.open(path) as archive:
        for name in (f"lung{k}_{kind}.nrrd" for k in (1, 2) for kind in ("image", "label")):
            member = archive.extractfile(f"{SDIST}/data/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())
    return folder


def _read_nrrd(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels ``(Z, Y, X)`` and spacing ``(x, y, z)`` in mm of a gzip NRRD.

    By hand, because importing itk while warnings are errors ends the interpreter.
    """
    head, packed = path.read_bytes().split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in head.decode("ascii").splitlines() if ": " in line)
    assert (fields["encoding"], fields["endian"]) == ("gzip", "little")
    dtype = {"short": "<i2", "unsigned short": "<u2", "int": "<i4"}[fields["type"]]
    shape = [int(k) for k in fields["sizes"].split()][::-1]
    directions = [[float(v) for v in axis.strip("()").split(",")] for axis in fields["space directions"].split()]
    return np.frombuffer(gzip.decompress(packed), dtype).reshape(shape), np.abs(np.array(directions)).max(1)


def _reduce(volume: np.ndarray) -> np.ndarray:
    """Mean over blocks in the plane: ``(Z, Y, X)`` to ``(Z, X / 4, Y / 4)``."""
    z, y, x = volume.shape
    blocks = volume.reshape(z, y // CHUNK, CHUNK, x // CHUNK, CHUNK).astype(np.float32)
    return blocks.mean((2, 4)).swapaxes(1, 2)


def _write_slice(folder: Path, name: str, pair: tuple[np.ndarray, np.ndarray], affine: np.ndarray) -> dict[str, str]:
    names = {"image": f"{name}_image.nii.gz", "label": f"{name}_label.nii.gz"}
    for array, file, dtype in zip(pair, names.values(), (np.float32, np.uint8), strict=True):
        nib.save(nib.Nifti1Image(np.ascontiguousarray(array, dtype=dtype), affine), folder / file)
    return names


def _finish(folder: Path, items: list[dict[str, str]], table: Iterable[Mapping[str, str]]) -> Path:
    (folder / "datalist.json").write_text(json.dumps({"testing": items}), encoding="utf-8")
    with (folder / "participants.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["participant_id", "sex", "age"], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return folder
