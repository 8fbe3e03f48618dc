# SPDX-License-Identifier: Apache-2.0
"""Digests of a file beside loading it with MONAI's LoadImage, and of an epoch's files beside the epoch, as CPU time.

Run with ``python -m pytest tests/benchmarks/test_digests.py -m slow -s``.
"""

import contextlib
import time

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.data import DataLoader
from monai.data import Dataset as Items
from monai.engines import SupervisedTrainer
from monai.networks.nets import UNet
from monai.transforms import Compose, EnsureChannelFirstd, LoadImage, LoadImaged
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_ethics.handlers import ProvenanceRecorder, RunSession, attach
from monai_ethics.handlers._items import ItemDigests
from monai_ethics.provenance.images.digest import digest_file, voxel_v1
from monai_ethics.provenance.images.read import read_image

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # ITK's and pydicom's own

RNG = np.random.default_rng(0)
FILES = 20
VOLUMES = 8


def volume(path):
    """A head in air, as in a brain data set: 240 x 240 x 155 int16."""
    distance = np.indices((240, 240, 155), dtype=np.float32) - np.array([120, 120, 77], np.float32)[:, None, None, None]
    values = ((distance**2).sum(axis=0) < 70**2) * RNG.normal(600, 120, distance.shape[1:])
    return nifti(path.with_suffix(".nii.gz"), values.clip(0).astype(np.int16))


def nifti(path, values):
    nib.save(nib.Nifti1Image(values, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
    return path


def flat(path):
    return nifti(path.with_suffix(".nii.gz"), RNG.normal(100, 20, (128, 128)).astype(np.float32))


def dicom(path):
    """One CT slice of 512 x 512, uncompressed."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PatientID = "CT", "nobody"
    dataset.Rows = dataset.Columns = 512
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 1
    dataset.PixelData = RNG.integers(0, 2000, (512, 512)).astype("<i2").tobytes()
    pydicom.dcmwrite(path.with_suffix(".dcm"), dataset, enforce_file_format=True)
    return path.with_suffix(".dcm")


@pytest.mark.parametrize(
    ("name", "make", "calls", "repeats"),
    [
        ("240 x 240 x 155 int16 .nii.gz", volume, 1, 3),
        ("128 x 128 float32 .nii.gz", flat, FILES, 5),
        ("512 x 512 DICOM", dicom, FILES, 5),
    ],
)
def test_cost_of_digests_beside_loading(tmp_path, paired, row, name, make, calls, repeats):
    path, load = make(tmp_path / "image"), LoadImage(image_only=True)

    def digests(*, slices):
        return lambda: [digest_file(path, slices=slices) for _ in range(calls)]

    def loading():
        return [load(path) for _ in range(calls)]

    run = paired(digests(slices=False), loading, repeats=repeats)
    full = paired(digests(slices=True), loading, repeats=repeats)
    start = time.process_time()
    for _ in range(calls):
        read_image(path)
    again = time.process_time() - start
    times = (run.ours, full.ours, again, run.theirs)
    row(name, run, full, " / ".join(f"{seconds / calls * 1e3:.1f}" for seconds in times) + " ms")
    image = load(path)
    loaded = voxel_v1(image.numpy(), affine=image.affine.numpy(), axes="xyz"[: image.ndim])
    assert digest_file(path).voxel_v1 == loaded


def test_cost_on_the_training_thread(tmp_path, row):
    paths = [str(flat(tmp_path / f"image-{i}")) for i in range(FILES)]
    queue = ItemDigests()
    queue.add_file(paths[0], role="image")  # starts the thread
    start, whole = time.thread_time(), time.process_time()
    for path in paths:
        queue.add_file(path, role="image")
    here = time.thread_time() - start
    found = queue.results(wait=True)
    whole = time.process_time() - whole
    queue.close()
    each = f"{here / FILES * 1e6:.0f} us a file of {whole / FILES * 1e6:.0f} us in all"
    row("queueing a 128 x 128 file, on the training thread", each, f"{here / whole:.1%}", "")
    assert [item["path"] for item in found] == sorted(paths)
    assert all(item["error"] is None for item in found)


def test_share_of_a_training_epoch(tmp_path, row):
    """A 3D U-Net on volumes of 128 x 128 x 64: what the training thread spends on digests and records."""
    paths = []
    for number in range(VOLUMES):
        values = RNG.normal(100, 20, (128, 128, 64)).astype(np.float32)
        paths.append({kind: str(nifti(tmp_path / f"{kind}-{number}.nii.gz", values)) for kind in ("image", "label")})
    keys = ["image", "label"]
    network = UNet(spatial_dims=3, in_channels=1, out_channels=1, channels=(16, 32, 64), strides=(2, 2))
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(Items(paths, Compose([LoadImaged(keys), EnsureChannelFirstd(keys)]))),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=1e-4),
        loss_function=torch.nn.MSELoss(),
    )
    spent = _timed(ProvenanceRecorder, ("_started", "_epoch_started", "_iteration_completed", "_completed"))
    with spent as ours, _timed(RunSession, ("finish",)) as end:
        session = attach(trainer, out=tmp_path / "evidence")
        own, whole = time.thread_time(), time.process_time()
        trainer.run()
        own, whole = time.thread_time() - own, time.process_time() - whole
    assert session.findings
    assert len(ours) == 2 + 1 + VOLUMES  # STARTED and EPOCH_STARTED, COMPLETED, each iteration
    epoch = own - sum(end)
    times = (
        f"{sum(ours) * 1e3:.1f} ms of {epoch:.2f} s; other threads {whole - own:.1f} s; end of the run {sum(end):.2f} s"
    )
    row(f"records of an epoch of {VOLUMES} volumes of a 3-D U-Net", times, f"{sum(ours) / epoch:.2%}", "")


@contextlib.contextmanager
def _timed(kind, names):
    """Seconds that the calling thread spends in some methods."""
    seconds, real = [], {name: getattr(kind, name) for name in names}

    def timed(method):
        def call(*args, **kwargs):
            start = time.thread_time()
            try:
                return method(*args, **kwargs)
            finally:
                seconds.append(time.thread_time() - start)

        return call

    for name, method in real.items():
        setattr(kind, name, timed(method))
    try:
        yield seconds
    finally:
        for name, method in real.items():
            setattr(kind, name, method)
