# SPDX-License-Identifier: Apache-2.0
"""A real ultrasound image with burned-in text and a header that is silent about it."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.real


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("data_store", "rapidocr", "onnxruntime")),
    reason="pydicom-data or the extra `ocr` is not installed",
)
def test_text_in_a_real_ultrasound_image_is_found_and_its_header_is_silent():
    from monai_ethics.synthesis.burned_in_text import BurnedInText
    from monai_ethics.synthesis.data.dicom import read_slices
    from monai_ethics.synthesis.data.dicom_flags import dicom_flags
    from monai_ethics.synthesis.data.text_scan import TextScan
    from monai_ethics.synthesis.features.text_reader import TextReader

    file = Path(find_spec("data_store").submodule_search_locations[0]) / "data" / "US1_UNCR.dcm"
    image, reader = read_slices([file]).mean(axis=0), TextReader()
    hits = reader([image])
    print(f"text-like regions in the real image: {len(hits[0])}")
    assert any("BAPTIST" in hit.text for hit in hits[0])
    assert dicom_flags([file]) == [(None, None)]
    clean = np.random.default_rng(0).random((2, 64, 64))
    data = TextScan(
        hits={"train": hits, "synthetic": [*hits, *reader(list(clean))]},
        reader=reader.name,
        flags={"train": dicom_flags([file])},
    )
    finding = BurnedInText()(data)
    leaks = next(estimate.value for estimate in finding.estimates if estimate.name == "leaks")
    assert leaks >= 5
    assert "BAPTIST" not in str(finding.to_dict())
