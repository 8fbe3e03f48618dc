# SPDX-License-Identifier: Apache-2.0
"""Transforms that let the recorded attributes of a case and the marks of an image travel through MONAI (ring 2)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ethics.transforms.attributes import GroupAttributesD, GroupAttributesd, GroupAttributesDict
    from monai_ethics.transforms.collate import marked_list_data_collate, marked_pad_list_data_collate
    from monai_ethics.transforms.keeping import keep_marks
    from monai_ethics.transforms.readers import (
        MarkedITKReader,
        MarkedNibabelReader,
        MarkedNrrdReader,
        MarkedNumpyReader,
        MarkedPILReader,
        MarkedPydicomReader,
        MarkedReader,
        ReadMarks,
        ReadMarksD,
        ReadMarksd,
        ReadMarksDict,
    )
    from monai_ethics.transforms.taint import TaintSafe, taint_of, tainted
    from monai_ethics.transforms.writers import (
        MarkedITKWriter,
        MarkedNibabelWriter,
        MarkedPILWriter,
        MarkedWriter,
        Written,
        register_marked_writers,
    )

__all__ = [
    "GroupAttributesD",
    "GroupAttributesDict",
    "GroupAttributesd",
    "MarkedITKReader",
    "MarkedITKWriter",
    "MarkedNibabelReader",
    "MarkedNibabelWriter",
    "MarkedNrrdReader",
    "MarkedNumpyReader",
    "MarkedPILReader",
    "MarkedPILWriter",
    "MarkedPydicomReader",
    "MarkedReader",
    "MarkedWriter",
    "ReadMarks",
    "ReadMarksD",
    "ReadMarksDict",
    "ReadMarksd",
    "TaintSafe",
    "Written",
    "keep_marks",
    "marked_list_data_collate",
    "marked_pad_list_data_collate",
    "register_marked_writers",
    "taint_of",
    "tainted",
]
_PLACES = {
    "attributes": ("GroupAttributesD", "GroupAttributesDict", "GroupAttributesd"),
    "collate": ("marked_list_data_collate", "marked_pad_list_data_collate"),
    "keeping": ("keep_marks",),
    "taint": ("TaintSafe", "taint_of", "tainted"),
    "writers": (
        "MarkedITKWriter",
        "MarkedNibabelWriter",
        "MarkedPILWriter",
        "MarkedWriter",
        "Written",
        "register_marked_writers",
    ),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULES.get(name, "readers")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
