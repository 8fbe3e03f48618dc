# SPDX-License-Identifier: Apache-2.0
"""Write subjects as NIfTI files with a datalist for MONAI and a BIDS-like side table of attributes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import nibabel as nib
import numpy as np

from monai_ethics.cohort.subject import Subject
from monai_ethics.errors import InputError

__all__ = ["Subjects", "write_cohort"]


class Subjects(Protocol):
    """A cohort, a generator, or a list of subjects."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Subject: ...


def write_cohort(
    subjects: Subjects,
    folder: Path,
    *,
    splits: Mapping[str, Sequence[int]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write images, masks, ``participants.tsv`` and ``datalist.json`` (Decathlon style, paths relative to `folder`).

    Args:
        subjects: what to write.
        folder: made if missing; must hold no datalist yet.
        splits: name of a list such as ``"training"`` to positions in `subjects`; default: all in ``"testing"``.
        progress: called with the number written and the total after each subject.

    Returns:
        Path of ``datalist.json``.

    Raises:
        InputError: if a subject is in two lists, or the folder already holds a datalist.
    """
    lists = {"testing": range(len(subjects))} if splits is None else splits
    order = [(name, index) for name, indices in lists.items() for index in indices]
    if len({index for _, index in order}) != len(order):
        raise InputError("A subject must be in one list of the datalist only: got one in two. Make `splits` disjoint.")
    target = folder / "datalist.json"
    if target.exists():
        raise InputError("The folder to write a cohort to holds one already: choose another or remove it.")
    folder.mkdir(parents=True, exist_ok=True)
    datalist: dict[str, list[dict[str, str]]] = {name: [] for name in lists}
    rows: list[dict[str, str | int | float]] = []
    for done, (name, index) in enumerate(order, start=1):
        subject = subjects[index]
        datalist[name].append(_write_images(subject, folder))
        rows.append({"participant_id": subject.subject_id, **subject.attributes, "source": subject.source})
        if progress is not None:
            progress(done, len(order))
    with (folder / "participants.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else [], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    target.write_text(json.dumps(datalist, indent=1) + "\n", encoding="utf-8")
    return target


def _write_images(subject: Subject, folder: Path) -> dict[str, str]:
    names = {"image": f"{subject.subject_id}_image.nii.gz", "label": f"{subject.subject_id}_lesion.nii.gz"}
    for array, name in ((subject.image[0], names["image"]), (subject.label[0], names["label"])):
        image = nib.Nifti1Image(np.ascontiguousarray(array), subject.affine)  # type: ignore[no-untyped-call]
        nib.save(image, folder / name)
    return names
