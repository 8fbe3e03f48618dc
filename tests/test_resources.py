# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from monai_ethics._resources import bundle_names, bundle_path
from monai_ethics.errors import InputError


def test_a_bundle_is_found_with_its_weights():
    root = bundle_path("lesion_segmentation")
    assert (root / "configs" / "train.json").is_file()
    assert 0 < (root / "models" / "model.pt").stat().st_size <= 3 * 2**20
    assert "lesion_segmentation" in bundle_names()


@pytest.mark.parametrize("name", ["nothing", "..", "", "lesion_segmentation/configs"])
def test_an_unknown_bundle_is_refused(name):
    with pytest.raises(InputError, match=r"Known: .*lesion_segmentation"):
        bundle_path(name)
