# SPDX-License-Identifier: Apache-2.0
"""Digests of dataset items: read again from disk in one background thread, each file once a run."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.provenance.images.listing import item_files
from monai_ethics.provenance.records.patients import patient_numbers

__all__ = ["ItemDigests", "item_files"]

Key = tuple[int, int, int, int]
NIFTI, DICOM = "monai_ethics.provenance.images.nifti", "monai_ethics.provenance.images.dicom"
READERS = {".gz": NIFTI, ".nii": NIFTI, ".dcm": DICOM, "": DICOM, ".png": "PIL.Image", ".jpg": "PIL.Image"}
NEEDED = ("monai_ethics.provenance.images.digest", "monai_ethics.provenance.marks.sidecar")


@dataclass(slots=True, kw_only=True)
class _File:
    """One file of a dataset: what it is in its item, the item's first file, its patient, and who reads it."""

    role: str
    stamp: Key
    case: str
    patient: str | None
    uses: set[str] = field(default_factory=set)


class ItemDigests:
    """A queue of files to digest. Constructing it starts nothing; the thread starts with the first file."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._files: dict[str, _File] = {}
        self._by_key: dict[Key, Future[dict[str, Any]]] = {}

    def add(self, item: Mapping[str, Any], *, use: str = "") -> None:
        """Queue the files of an item; returns at once.

        Args:
            item: ``image``, ``label``, ... and what else it holds.
            use: id of the engine that reads it.
        """
        found = item_files(item)
        patient = next(iter(patient_numbers(item)), None)
        for key, path in found:
            self.add_file(path, role=key, use=use, case=found[0][1], patient=patient)

    def add_file(self, path: str, *, role: str, use: str = "", case: str = "", patient: str | None = None) -> None:
        """Queue one file, unless it is known by size, time of change and inode."""
        known = self._files.get(path)
        if known is None:
            try:
                info = os.stat(path)
            except OSError:
                return
            stamp = (info.st_size, info.st_mtime_ns, info.st_ino, info.st_dev)
            known = self._files[path] = _File(role=role, stamp=stamp, case=case or path, patient=patient)
            self._queue(path, stamp)
        if use:
            known.uses.add(use)

    def _queue(self, path: str, stamp: Key) -> None:
        if stamp not in self._by_key:
            _import_reader(path)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="monai-ethics-digest")
            self._by_key[stamp] = self._pool.submit(_digest, path)

    def results(self, *, wait: bool) -> list[dict[str, Any]]:
        """Every file by path with its digests and marks, or the type of the error that prevented them.

        Args:
            wait: whether to wait for the thread; otherwise files that are not done have the error ``"NotDigested"``.
        """
        waiting: dict[str, Any] = {"digests": None, "error": "NotDigested"}
        out = []
        for path, file in sorted(self._files.items()):
            future = self._by_key[file.stamp]
            told = {"path": path, "role": file.role, "case": file.case, "uses": sorted(file.uses)}
            found = {**told, **(future.result() if wait or future.done() else waiting)}
            if file.patient is not None:
                found["patient"] = ("", file.patient)
            out.append(found)
        return out

    def close(self) -> None:
        """Drop what is still queued."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _import_reader(path: str) -> None:
    """Import here what the thread will need: a loader that forks during an import would inherit its lock."""
    for name in (*NEEDED, READERS.get(os.path.splitext(path)[1].lower())):
        if name is not None:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def _digest(path: str) -> dict[str, Any]:
    from monai_ethics.provenance.images.digest import digest_image
    from monai_ethics.provenance.images.read import read_image
    from monai_ethics.provenance.log.tree.canonical import file_sha256
    from monai_ethics.provenance.marks.sidecar import sidecar_marks

    file = Path(path)
    try:
        image = read_image(file)
        digests = digest_image(image, file_digest=file_sha256(file), slices=False)
        marks = sidecar_marks(file, digests)
    except Exception as error:  # a broken file is a fact about the file, not an end of the run
        return {"digests": None, "error": type(error).__name__}
    known = image.attributes.get("PatientID")
    return {
        "digests": digests.to_dict(),
        "error": None,
        "marked": marks.synthetic,
        "record": marks.record,
        "patient": (str(image.attributes.get("IssuerOfPatientID", "")), str(known)) if known else None,
        "values": _values(image.array),
    }


def _values(array: Any) -> dict[str, Any]:
    """How the stored values look: type, and the range of the finite ones."""
    import numpy as np

    finite = array if array.dtype.kind in "iub" else array[np.isfinite(array)]
    if not finite.size or array.dtype.kind not in "iubf":
        return {"dtype": str(array.dtype)}
    low, high, mean = float(finite.min()), float(finite.max()), float(finite.mean(dtype="float64"))
    return {"dtype": str(array.dtype), "min": low, "max": high, "mean": mean}
