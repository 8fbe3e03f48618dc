# SPDX-License-Identifier: Apache-2.0
"""What the guard catches, adversary by adversary, and how often its robust hash flags images of other people."""

import itertools
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate, zoom

from monai_ethics.cohort import Cohort, FaultyGenerator, analytic_founders, load_founders
from monai_ethics.errors import GateError
from monai_ethics.provenance.images.robust import NEAR, distance, robust_v1
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.guard import admit
from monai_ethics.provenance.registry.stamp import stamp_files

pytestmark = pytest.mark.slow
AFFINE = np.diag([-4.5, -4.5, 4.5, 1])
N = 10
SIZES = {"volumes": (48, 48, 48), "slices": (128, 128)}


def cohort(n, seed, kind):
    """Subjects of one founder anatomy, which is what a protocol's registered brains look like at their closest."""
    founders = {**analytic_founders(), **load_founders()}
    name = next(iter(set(founders) - {"ellipsoid"}), "ellipsoid")
    whole = Cohort(n=n, seed=seed, contrast="T1w", size=SIZES[kind], founders={name: founders[name]})
    return whole, name


def hash_of(array):
    axes = "xyz" if array.ndim == 3 else "xy"
    return robust_v1(array, axes=axes, affine=None)


def flagged(distances):
    at = ", ".join(f"<= {most:.2f}: {np.mean(np.array(distances) <= most):.2%}" for most in (0.05, NEAR, 0.15, 0.20))
    return f"n {len(distances)} pairs, min {min(distances):.3f}, median {np.median(distances):.3f}; flagged at {at}"


# false alarms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["volumes", "slices"])
def test_false_alarms_among_subjects_of_one_founder(kind):
    subjects, name = cohort(46, 11, kind)
    start = time.perf_counter()
    images = [subject.image[0] for subject in subjects]
    made = time.perf_counter()
    hashes = [hash_of(image) for image in images]
    each = (time.perf_counter() - made) / len(images)
    pairs = [distance(a, b) for a, b in itertools.combinations(hashes, 2)]
    print(f"\n{kind} {SIZES[kind]} of founder {name}, {len(images)} subjects (made in {made - start:.1f} s)")
    print(f"  {flagged(pairs)}; {1000 * each:.1f} ms a hash")
    assert len(pairs) >= 1000
    assert np.mean(np.array(pairs) <= NEAR) <= 0.01


def test_the_real_source_of_a_copy_is_flagged_and_other_sources_are_not():
    subjects, _ = cohort(20, 5, "volumes")
    generator = FaultyGenerator(reference=subjects, training=range(20), n=20, copies=0.5, seed=2)
    copies = generator.copied
    sources = [hash_of(subject.image[0]) for subject in subjects]
    made = {index: hash_of(generator[index].image[0]) for index in range(20)}
    own = [distance(made[index], sources[source]) for index, source in copies.items()]
    fresh = [distance(made[i], one) for i in range(20) if i not in copies for one in sources]
    print(
        f"\nsources of copies (1 % noise): {flagged(own)}\nsources against samples that are no copies: {flagged(fresh)}"
    )
    assert max(own) <= NEAR
    assert np.mean(np.array(fresh) <= NEAR) <= 0.01


# catch rates ---------------------------------------------------------------------------------------------------------


def noisy(array, share, seed=0):
    scale = share * np.percentile(array, 99)
    return array + np.random.default_rng(seed).normal(0, scale, array.shape).astype(np.float32)


def perturbed(array):
    """On purpose: warped by a smooth field, a part replaced, contrast turned over."""
    rng = np.random.default_rng(1)
    grids = np.meshgrid(*[np.arange(size) for size in array.shape], indexing="ij")
    moved = [grid + 60 * gaussian_filter(rng.normal(size=array.shape), 5) for grid in grids]
    from scipy.ndimage import map_coordinates

    warped = map_coordinates(array, moved, order=1)
    return np.where(warped > 0.05 * warped.max(), warped.max() - warped, 0) + 0.3 * np.roll(array, 9, axis=1)


EDITS = {
    "A1 crop 8 % a side": lambda v: v[tuple(slice(round(0.08 * n), n - round(0.08 * n)) for n in v.shape)],
    "A1 resample x0.75": lambda v: zoom(v, 0.75, order=1),
    "A1 resample x0.5": lambda v: zoom(v, 0.5, order=1),
    "A1 rescale to z-scores": lambda v: (v - v.mean()) / v.std(),
    "A1 8 bit": lambda v: np.clip((v - v.min()) / np.ptp(v) * 255, 0, 255).astype(np.uint8),
    "A1 gamma 1.3": lambda v: np.clip(v, 0, None) ** 1.3,
    "A1 flip": lambda v: v[::-1],
    "A1 pad by a quarter": lambda v: np.pad(v, v.shape[0] // 4),
    "A1 blur 1 voxel": lambda v: gaussian_filter(v, 1),
    "A1 noise 5 %": lambda v: noisy(v, 0.05),
    "A1 rotation 2 degrees": lambda v: rotate(v, 2, reshape=False, order=1),
    "A1 rotation 10 degrees": lambda v: rotate(v, 10, reshape=False, order=1),
    "A1 crop, x0.75, 8 bit and flip": lambda v: EDITS["A1 8 bit"](zoom(v[5:-5, 5:-5, 5:-5], 0.75, order=1))[::-1],
    "A3 warped and turned over on purpose": perturbed,
}


def whole_numbers(image):
    """As scanners store them: DICOM holds integers, and a rounded image would be another one."""
    return np.round(4000 * image / image.max()).astype(np.float32)


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """N generated volumes, registered in a site log; what a generator without a registry made is in `other`."""
    root = tmp_path_factory.mktemp("rates")
    import os

    before = os.environ.get("MONAI_ETHICS_KEY_HOME")
    os.environ["MONAI_ETHICS_KEY_HOME"] = str(root / "keys")
    whole, _ = cohort(2 * N, 21, "volumes")
    volumes = [whole_numbers(whole[index].image[0]) for index in range(2 * N)]
    (root / "made").mkdir()
    paths = [root / "made" / f"sample_{index:02d}.nii.gz" for index in range(N)]
    for path, volume in zip(paths, volumes, strict=False):
        nib.save(nib.Nifti1Image(volume, AFFINE), path)
    with EvidenceLog.open(root / "site", run_id="stamp") as log:
        stamp_files(paths, log)
    yield root, volumes[:N], volumes[N:], paths
    if before is None:
        del os.environ["MONAI_ETHICS_KEY_HOME"]
    else:
        os.environ["MONAI_ETHICS_KEY_HOME"] = before


def caught(paths, root, policy="deny-list"):
    """Share refused by the policy, and share refused or flagged for review; the allow-list would refuse all."""
    result = admit(paths, None, policy, site=root / "site")
    assert all(row.kind != "real-attested" for row in result.rows)
    review = sum(row.kind == "near-copy" or row.refused for row in result.rows)
    return len(result.refused) / len(paths), review / len(paths)


def tell(name, refused, review):
    print(f"{name:42} refused {refused:5.0%}, refused or for review {review:5.0%}  (n = {N})")


def as_dicom(array, path):
    """A volume as slices of classic MR; identifiers are another person's, the values stay."""
    import warnings

    for z in range(array.shape[2]):
        one = pydicom.Dataset()
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        one.SOPClassUID, one.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", pydicom.uid.generate_uid()
        one.Modality, one.PatientID, one.PatientName = "MR", "other", "Other^Person"
        one.Rows, one.Columns = array.shape[1], array.shape[0]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.PixelRepresentation = 15, 1
        one.ImageOrientationPatient, one.PixelSpacing = [1, 0, 0, 0, 1, 0], [3.5, 3.5]
        one.ImagePositionPatient, one.SliceThickness = [0, 0, 3.5 * z], 3.5
        one.PixelData = array[:, :, z].T.astype(np.int16).tobytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one.save_as(path / f"IM{z:04d}.dcm", enforce_file_format=True)


def test_a0_accidents_are_refused_by_digest(registered, tmp_path):
    root, volumes, _, paths = registered
    made = {name: [] for name in ("MONAI resave", "renamed", "header dropped", "NIfTI to DICOM, de-identified", "back")}
    from monai.transforms import LoadImage, SaveImage

    save = SaveImage(output_dir=str(tmp_path / "monai"), separate_folder=False, print_log=False)
    load = LoadImage(image_only=True)
    for index, (path, volume) in enumerate(zip(paths, volumes, strict=True)):
        save(load(path)[None])
        made["MONAI resave"].append(tmp_path / "monai" / f"{path.name[:-7]}_trans.nii.gz")
        made["renamed"].append(tmp_path / f"scan_{index}.nii.gz")
        made["renamed"][-1].write_bytes(path.read_bytes())
        made["header dropped"].append(tmp_path / f"scan_{index}.npy")
        np.save(made["header dropped"][-1], volume)
        folder = tmp_path / f"dicom_{index}"
        folder.mkdir()
        as_dicom(volume, folder)
        made["NIfTI to DICOM, de-identified"].append(folder / f"IM{24:04d}.dcm")
        slices = [pydicom.dcmread(name).pixel_array.T for name in sorted(folder.glob("*.dcm"))]
        made["back"].append(tmp_path / f"back_{index}.nii")
        nib.save(nib.Nifti1Image(np.stack(slices, axis=-1), AFFINE), made["back"][-1])
    print()
    for name, files in made.items():
        refused, review = caught(files, root)
        tell(f"A0 {name}", refused, review)
        assert refused == 1


def test_a1_careless_edits_are_flagged_and_a3_beats_the_hash(registered, tmp_path):
    root, volumes, _, _ = registered
    print()
    rates = {}
    for name, edit in EDITS.items():
        files = [tmp_path / f"{name[:2]}_{index}.nii" for index in range(N)]
        for path, volume in zip(files, volumes, strict=True):
            values = np.ascontiguousarray(edit(volume))
            nib.save(nib.Nifti1Image(values if values.dtype == np.uint8 else values.astype(np.float32), AFFINE), path)
        rates[name] = caught(files, root)
        tell(name, *rates[name])
    careless = [rate for name, (_, rate) in rates.items() if name.startswith("A1") and "10 degrees" not in name]
    assert min(careless) >= 0.9
    assert rates["A3 warped and turned over on purpose"] == (0, 0)


def test_a1_a_slice_exported_as_an_8_bit_picture_is_told_by_nothing_but_the_allow_list(registered, tmp_path):
    root, volumes, _, _ = registered
    files = [tmp_path / f"{index}.png" for index in range(N)]
    for path, volume in zip(files, volumes, strict=True):
        Image.fromarray(EDITS["A1 8 bit"](volume[:, :, 24])).save(path)
    refused, review = caught(files, root)
    print()
    tell("A1 one slice as an 8 bit PNG", refused, review)
    assert (refused, review) == (0, 0)


def test_a2_stripped_and_forged_metadata_are_refused_by_digest(registered, tmp_path):
    root, volumes, _, _ = registered
    files = [tmp_path / f"scan_{index}.nii" for index in range(N)]
    for path, volume in zip(files, volumes, strict=True):
        image = nib.Nifti1Image(volume, np.diag([1, 1, 1, 1]))
        image.header["descrip"] = b"3T scanner, acquired"
        text = b'{"schema":"monai_ethics.mark/1","synthetic":"no"}'
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text))
        nib.save(image, path)
        Path(f"{path}.prov.json").write_text('{"schema":"monai_ethics.sidecar/1","synthetic":"no"}')
    refused, review = caught(files, root)
    print()
    tell("A2 stripped, and forged to say acquired", refused, review)
    assert refused == 1


def test_a4_a_registry_without_the_registration_is_refused_altogether(registered, tmp_path):
    root, _, _, paths = registered
    import shutil

    stopped = 0
    for position in range(N):
        folder = tmp_path / f"site_{position}"
        shutil.copytree(root / "site", folder)
        rows = (folder / "log.jsonl").read_bytes().splitlines(True)
        found = [index for index, row in enumerate(rows) if b'"registered"' in row]
        del rows[found[position]]
        (folder / "log.jsonl").write_bytes(b"".join(rows))
        try:
            admit(paths[:1], None, "deny-list", site=folder)
        except GateError:
            stopped += 1
    print(f"\nA4 one registration taken out of the log: {stopped} of {N} refused as altered")
    assert stopped == N


def test_a5_what_an_unregistered_model_made_is_refused_by_the_allow_list_only(registered, tmp_path):
    root, _, others, _ = registered
    files = [tmp_path / f"scan_{index}.nii" for index in range(N)]
    for path, volume in zip(files, others, strict=True):
        nib.save(nib.Nifti1Image(volume, AFFINE), path)
    print()
    tell("A5 unregistered model, deny-list", *caught(files, root))
    tell("A5 unregistered model, allow-list", *caught(files, root, "allow-list"))
    assert caught(files, root)[0] == 0
    assert caught(files, root, "allow-list")[0] == 1
