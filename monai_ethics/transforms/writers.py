# SPDX-License-Identifier: Apache-2.0
"""Image writers that mark what was made from synthetic images; any other file is MONAI's own, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from monai.data import image_writer
from monai.data.image_writer import ITKWriter, NibabelWriter, PILWriter

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.log.tree.digits import is_record_id
from monai_ethics.provenance.marks.sidecar import write_marks
from monai_ethics.provenance.marks.taint import carries_synthetic, combined
from monai_ethics.provenance.records.record import Record
from monai_ethics.transforms.readers import FILE_KEY, file_mark
from monai_ethics.transforms.taint import RECORD, state_in

__all__ = [
    "STOCK",
    "MarkedITKWriter",
    "MarkedNibabelWriter",
    "MarkedPILWriter",
    "MarkedWriter",
    "Written",
    "mark_written",
    "register_marked_writers",
    "source_mark",
    "writing",
]


@dataclass(frozen=True, kw_only=True)
class Written:
    """How written files are marked.

    Args:
        template: fields of a `Record` that every record shares, such as `type` and `model`.
        key: signs sidecars; called for each file, ``None`` for unsigned ones.
        told: hears of each marked file.
        header: whether the files themselves may be marked; otherwise only their sidecars say it.
    """

    template: Mapping[str, Any] | None = None
    key: Callable[[], Any] | None = None
    told: Callable[[Path], None] | None = None
    header: bool = True


_HOW: list[Written] = [Written()]  # of the process, whose threads may all write


@contextmanager
def writing(how: Written) -> Iterator[None]:
    """Mark files that are written in this block in this way."""
    _HOW.append(how)
    try:
        yield
    finally:
        _HOW.remove(how)


def source_mark(meta: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """State and full record ids of the content that an image was made from.

    Args:
        meta: of the image; its own flag counts, and that of the file that it was read from.

    Returns:
        ``"unknown"`` where neither says anything.
    """
    meta = meta or {}
    own, name = state_in(meta), meta.get(FILE_KEY)
    state = combined(own) if isinstance(own, list) else own or "unknown"
    record = meta.get(RECORD)
    said = " ".join(record if isinstance(record, (list, tuple)) else [record] if isinstance(record, str) else [])
    if not carries_synthetic(state):
        names = name if isinstance(name, (list, tuple)) else [name]
        state_of_file, more = file_mark([one for one in names if isinstance(one, (str, os.PathLike)) and one])
        if carries_synthetic(state_of_file) or state == "unknown":
            state, said = state_of_file, f"{said} {more}"
    return state, tuple(sorted({word for word in said.split() if is_record_id(word)}))


def mark_written(path: Path, state: str, parents: tuple[str, ...]) -> None:
    """Mark a file that was made from synthetic content: in the file where its format can hold it, and in a sidecar.

    Args:
        path: the written file.
        state: of its content.
        parents: ids of the records of what it was made from.
    """
    how = _HOW[-1]
    if not carries_synthetic(state):
        return
    subject: dict[str, Any] = {"role": "written"}
    voxel = None
    try:
        digests = digest_file(path, slices=False)
    except InputError:  # of a format that is not digested here: the sidecar says it alone
        pass
    else:
        voxel = digests.voxel_v1
        found = {"voxel_v1": voxel, "geometry_v1": digests.geometry_v1}
        subject |= {"media_type": digests.media_type, "shape": list(digests.shape), "digests": found}
    template = {"type": "transform", "activity": {"software": "monai_ethics", "writer": "MONAI"}}
    record = Record.from_dict(
        {
            **template,
            **(how.template or {}),
            "synthetic": state,
            "subjects": [subject],
            "parents": [{"id": one, "role": "source image"} for one in parents],
        }
    )
    key = how.key() if how.key is not None else None
    write_marks(path, record.to_dict(), voxel_v1=voxel, header=how.header, key=key)
    if how.told is not None:
        how.told(path)


class MarkedWriter:
    """Mixed into a writer of MONAI, before it, to mark what was made from synthetic content.

    What the image's meta says counts, and what the file says that the meta names; the latter is looked up when the
    image is written. Nothing else is changed: a file made from unmarked content has the bytes that MONAI gives it.
    For a writer of your own: ``class Marked(MarkedWriter, MyWriter): ...``.
    """

    _source: tuple[str, tuple[str, ...]] = ("unknown", ())

    def set_metadata(self, meta_dict: Mapping[str, Any] | None = None, *args: Any, **options: Any) -> Any:
        """Remember what the image is made from; MONAI's own otherwise."""
        self._source = source_mark(meta_dict)
        return super().set_metadata(meta_dict, *args, **options)  # type: ignore[misc]

    def write(self, filename: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the file, and mark it where it has to be."""
        result = super().write(filename, *args, **kwargs)  # type: ignore[misc]
        state, parents = self._source
        if carries_synthetic(state):
            mark_written(Path(os.fspath(filename)), state, parents)
        return result


class MarkedNibabelWriter(MarkedWriter, NibabelWriter):
    """`NibabelWriter` that keeps marks: header extension, ``descrip`` and sidecar."""


class MarkedITKWriter(MarkedWriter, ITKWriter):
    """`ITKWriter` that keeps marks; of NRRD and MetaImage only the sidecar carries them."""


class MarkedPILWriter(MarkedWriter, PILWriter):
    """`PILWriter` that keeps marks: XMP of a PNG, and the sidecar."""


STOCK: dict[type, type] = {
    NibabelWriter: MarkedNibabelWriter,
    ITKWriter: MarkedITKWriter,
    PILWriter: MarkedPILWriter,
}


class _Registered:
    """What was registered before, to be put back."""

    def __init__(self, before: dict[str, Any]) -> None:
        self._before = before

    def undo(self) -> None:
        """Put back what was registered before."""
        image_writer.SUPPORTED_WRITERS.clear()
        image_writer.SUPPORTED_WRITERS.update(self._before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()


def register_marked_writers() -> _Registered:
    """Let `SaveImage` keep marks: put ours in the place of MONAI's writers, for every file ending.

    It holds at once and until the program ends; in a ``with`` statement, until the end of the block. `SaveImage` looks
    its writers up when it is made, so call this first. Writers of others that were registered keep their places.
    """
    if not image_writer.SUPPORTED_WRITERS:
        image_writer.init()  # type: ignore[no-untyped-call]
    before = dict(image_writer.SUPPORTED_WRITERS)
    for ending, writers in before.items():
        if any(one in STOCK for one in writers):
            image_writer.SUPPORTED_WRITERS[ending] = ()
            image_writer.register_writer(ending, *(STOCK.get(one, one) for one in writers))  # type: ignore[no-untyped-call]
    return _Registered(before)
