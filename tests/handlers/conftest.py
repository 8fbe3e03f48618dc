# SPDX-License-Identifier: Apache-2.0
"""Small engines on 16 x 16 images whose scores can be computed by hand."""

from __future__ import annotations

import pytest
import torch
from ignite.metrics import Metric
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.handlers import MeanDice, from_engine
from torch import nn


class Shift(nn.Module):
    """Returns its input moved by a learnable zero: what the image holds is what is predicted."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.bias


def square(rows):
    mask = torch.zeros(1, 16, 16)
    mask[:, :rows, :8] = 1
    return mask


def make_items(n=7, sexes=("F", "M", None), missing_from=None):
    """Case i: 8 rows in the reference, 8 - i rows found; one miss, one false positive, one empty case at the end."""
    items = []
    for i in range(n):
        reference, found = square(8), square(max(8 - i, 1))
        if i == n - 1:
            reference, found = square(0), square(0)
        elif i == n - 2:
            reference, found = square(0), square(2)
        elif i == n - 3:
            found = square(0)
        name = f"/data/sub-{i:02d}/image.nii.gz"
        items.append(
            {
                "image": MetaTensor(found, meta={"filename_or_obj": name}),
                "label": MetaTensor(reference, meta={"filename_or_obj": name.replace("image", "label")}),
                "sex": sexes[i % len(sexes)] or "",
                "age": 20 + 10 * (i % 4),
            }
        )
    return items


class Items(Dataset):
    def __getitem__(self, index):
        return dict(self.data[index])


def make_evaluator(
    items, *, batch_size=3, metrics=None, handlers=None, cls=SupervisedEvaluator, network=None, **kwargs
):
    metrics = (
        {"val_mean_dice": MeanDice(output_transform=from_engine(["pred", "label"]))} if metrics is None else metrics
    )
    names = list(metrics)
    loader = DataLoader(Items(items), batch_size=batch_size, num_workers=0)
    return cls(
        device=torch.device("cpu"),
        val_data_loader=loader,
        network=network or Shift(),
        key_val_metric={names[0]: metrics[names[0]]} if names else None,
        additional_metrics={name: metrics[name] for name in names[1:]} or None,
        val_handlers=handlers,
        **kwargs,
    )


@pytest.fixture
def toy():
    """Namespace of the builders above."""

    class Toy:
        Shift = Shift
        Metric = Metric
        square = staticmethod(square)
        items = staticmethod(make_items)
        evaluator = staticmethod(make_evaluator)
        Items = Items

    return Toy


@pytest.fixture(autouse=True)
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
