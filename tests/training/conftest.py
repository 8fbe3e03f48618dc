# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.training import TrainingGroups


@pytest.fixture
def items():
    """30 women with one image, 10 men of whom one has eleven, 5 with no sex."""
    made = [{"image": f"data/f{i}.nii", "sex": "F", "patient": f"f{i}"} for i in range(30)]
    made += [{"image": f"data/m{i}.nii", "sex": "M", "patient": f"m{max(i - 10, 0)}"} for i in range(20)]
    return made + [{"image": f"data/n{i}.nii", "sex": "", "patient": f"n{i}"} for i in range(5)]


@pytest.fixture
def groups(items):
    return TrainingGroups(items, ["sex"])
