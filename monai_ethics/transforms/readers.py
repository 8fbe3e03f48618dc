# SPDX-License-Identifier: Apache-2.0
"""Readers that bring the marks of files into the meta of images.

MONAI's readers drop them: a NIfTI extension, the text of a PNG and what stands in a sidecar never reach the meta, and
of a DICOM series at most one file's attributes do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from monai.data import ITKReader, MetaTensor, NibabelReader, NrrdReader, NumpyReader, PILReader, PydicomReader
from monai.transforms import MapTransform, Transform
from monai.utils import ensure_tuple

from monai_ethics.provenance.marks.peek import peek_all
from monai_ethics.provenance.marks.taint import combined
from monai_ethics.transforms.taint import FLAG, RECORD, put, state_in

__all__ = [
    "MarkedITKReader",
    "MarkedNibabelReader",
    "MarkedNrrdReader",
    "MarkedNumpyReader",
    "MarkedPILReader",
    "MarkedPydicomReader",
    "MarkedReader",
    "ReadMarks",
    "ReadMarksD",
    "ReadMarksDict",
    "ReadMarksd",
    "file_mark",
]

FILE_KEY = "filename_or_obj"


def file_mark(names: Iterable[str | os.PathLike[str]]) -> tuple[str, str]:
    """State and record of the image in some files; several records have a blank between them."""
    told = peek_all(names)
    return told.synthetic, " ".join(told.records)


class MarkedReader:
    """Mixed into a reader of MONAI, before it, to add ``meta["synthetic"]`` and ``meta["record"]``.

    Every file that is read is asked: one file, the channels of an image, all files of a DICOM folder. Use it by name,
    ``LoadImaged(keys, reader="monai_ethics.transforms.MarkedNibabelReader")``, or make one of a reader of your own:
    ``class Marked(MarkedReader, MyReader): ...``.
    """

    def read(self, data: Any, **kwargs: Any) -> Any:
        """Read the files; the names are kept for `get_data` of the same thread."""
        _names_of(self).names = [name for name in ensure_tuple(data) if isinstance(name, (str, os.PathLike))]
        return super().read(data, **kwargs)  # type: ignore[misc]

    def get_data(self, img: Any) -> tuple[Any, dict[str, Any]]:
        """Array and meta, with the marks."""
        array, meta = super().get_data(img)  # type: ignore[misc]
        meta[FLAG], meta[RECORD] = file_mark(getattr(_names_of(self), "names", ()))
        return array, meta

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_marked"}


def _names_of(reader: Any) -> Any:
    """Loaders of several threads share one reader."""
    return reader.__dict__.setdefault("_marked", threading.local())


class MarkedNibabelReader(MarkedReader, NibabelReader):
    """`NibabelReader` with the marks of the files."""


class MarkedITKReader(MarkedReader, ITKReader):
    """`ITKReader` with the marks of the files."""


class MarkedPydicomReader(MarkedReader, PydicomReader):
    """`PydicomReader` with the marks of the files."""


class MarkedPILReader(MarkedReader, PILReader):
    """`PILReader` with the marks of the files."""


class MarkedNrrdReader(MarkedReader, NrrdReader):
    """`NrrdReader` with the marks of the files."""


class MarkedNumpyReader(MarkedReader, NumpyReader):
    """`NumpyReader` with the marks of the files."""


class ReadMarks(Transform):
    """Add the marks of its file to an image that was loaded already, whatever the reader.

    An image in memory that says more of itself keeps what it says: a synthetic part that either of them names counts.
    Of an image of several files MONAI's meta names the first only; use a `MarkedReader` there.

    Args:
        folder: whether the other files in the folder of a DICOM file belong to the image, as for a series that was
            read from a list of its files.
    """

    def __init__(self, *, folder: bool = False) -> None:
        self.folder = folder

    def __call__(self, img: Any) -> Any:
        """The image, a `MetaTensor`, with ``meta["synthetic"]`` and ``meta["record"]``."""
        image = img if isinstance(img, MetaTensor) else MetaTensor(img)
        name = image.meta.get(FILE_KEY)
        names = [name] if isinstance(name, (str, os.PathLike)) and os.fspath(name) else []
        if self.folder and names and os.path.isfile(names[0]):
            names = [os.path.dirname(names[0]) or "."]
        state, record = file_mark(names)
        own = state_in(image.meta)
        if isinstance(own, str):
            own_record = image.meta.get(RECORD)
            record = record or (own_record if isinstance(own_record, str) else "")
            state = own if state == "unknown" else state if own == "unknown" else combined([own, state])
        return put(image, state, record)


class ReadMarksd(MapTransform):
    """`ReadMarks` for the images of an item: put it behind ``LoadImaged``.

    Args:
        keys: the images.
        folder: as for `ReadMarks`.
        allow_missing_keys: whether an item may lack an image.
    """

    def __init__(
        self, keys: Hashable | Sequence[Hashable], *, folder: bool = False, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.reads = ReadMarks(folder=folder)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with marked images; `data` is not changed."""
        item: dict[Any, Any] = dict(data)
        for key in self.key_iterator(item):
            item[key] = self.reads(item[key])
        return item


ReadMarksD = ReadMarksDict = ReadMarksd
