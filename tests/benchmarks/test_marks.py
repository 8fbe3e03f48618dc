# SPDX-License-Identifier: Apache-2.0
"""What keeping marks costs on data that has none: CPU time beside MONAI's own, on one thread.

Run with ``python -m pytest tests/benchmarks/test_marks.py -m slow -s``; nothing is asserted of time.
"""

import statistics
import time

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor, list_data_collate
from monai.networks.nets import UNet
from monai.transforms import LoadImage

from monai_ethics.transforms import keep_marks, marked_list_data_collate
from monai_ethics.transforms.readers import file_mark

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHAPE = (128, 128, 96)


def spent(call, n):
    """Median CPU time of a call in seconds."""
    times = []
    for _ in range(n):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times)


def test_the_cost_of_looking_for_marks(tmp_path):
    numbers = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.nii.gz" for i in range(6)]
    for path in paths:
        nib.save(nib.Nifti1Image(numbers.integers(0, 1000, SHAPE).astype(np.int16), np.eye(4)), path)
    load = LoadImage(ensure_channel_first=True)
    loading = spent(lambda: load(paths[0]), 6)
    first = statistics.median(spent(lambda path=path: file_mark([path]), 1) for path in paths)
    later = spent(lambda: file_mark([paths[0]]), 200)
    print(
        f"\nLoadImage of {SHAPE} int16 .nii.gz {loading * 1e3:.1f} ms (n = 6); first look {first * 1e3:.2f} ms (n = 6),"
    )
    print(f"{first / loading:.1%} of it; later looks {later * 1e6:.0f} us (n = 200)")

    items = [load(path) for path in paths[:2]]
    batch = list_data_collate([item[:, :64, :64, :32].clone() for item in items])
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(8, 16, 32), strides=(2, 2))

    def step():
        network(batch).sum().backward()

    step()
    plain, kept = [], []
    for _ in range(8):  # in turns, as other processes come and go
        plain.append(spent(step, 2))
        with keep_marks():
            kept.append(spent(step, 2))
    change = statistics.median(kept) / statistics.median(plain) - 1
    print(f"a step of a small U-Net {statistics.median(plain) * 1e3:.1f} ms, {change:+.1%} with marks (n = 16 each)")
    one = MetaTensor(torch.ones(4))
    sums = [spent(lambda: [one + one for _ in range(1000)], 7) * 1e3]
    with keep_marks():
        sums.append(spent(lambda: [one + one for _ in range(1000)], 7) * 1e3)
    print(f"a sum of two MetaTensors {sums[0]:.1f} us, {sums[1]:.1f} us with marks (n = 7,000 each)")
    collates = [spent(lambda: list_data_collate(items), 10), spent(lambda: marked_list_data_collate(items), 10)]
    print(f"a batch of two {collates[0] * 1e3:.2f} ms, {collates[1] * 1e3:.2f} ms with marks (n = 10 each)")
    assert "synthetic" not in batch.meta
