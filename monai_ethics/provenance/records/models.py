# SPDX-License-Identifier: Apache-2.0
"""Which training wrote which weights, as evidence folders and site logs tell it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.reading.entries import Covered, iter_entries

__all__ = ["Trained", "known_models"]

END = ".end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training that wrote certain weights.

    Args:
        record: id of its record.
        synthetic: what its record says of the images that it learned from.
        training_set: id of the record of its training set, or ``None``.
        root: root of that set, hex, or ``None``.
    """

    record: str
    synthetic: str
    training_set: str | None = None
    root: str | None = None


def known_models(folders: Sequence[Path], *, under: Sequence[Covered | None] = ()) -> dict[str, Trained]:
    """Trainings by the digest of the weights that they ended with or stored, and of the checkpoint files.

    Args:
        folders: evidence folders and site logs; one without a log is left out. Two trainings that wrote the same
            weights cannot be told apart: the first one is named.
        under: what each of them is read under, see `iter_entries`; to its end where nothing is given.
    """
    found: dict[str, Trained] = {}
    for folder, covered in zip_longest(folders, under[: len(folders)]):
        trained: dict[str, Trained] = {}
        roots: dict[str, str] = {}
        for kind, body in _entries(folder, covered):
            if kind == "training_set":
                roots[str(body.get("record"))] = str(body.get("root"))
            elif kind == "record" and body.get("type") == "training":
                training = _trained(body, roots)
                trained[training.record] = training
                for digest in _digests(body.get("model") or {}):
                    found.setdefault(digest, training)
            elif kind == "stored" and body.get("role") == "checkpoint" and body.get("record") in trained:
                for digest in (body.get("sha256"), *body.get("weights", ())):
                    found.setdefault(str(digest), trained[str(body["record"])])
    return found


def _entries(folder: Path, under: Covered | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with contextlib.suppress(InputError):
        for entry in iter_entries(folder, under=under):
            yield entry.kind, entry.body


def _trained(body: Mapping[str, Any], roots: Mapping[str, str]) -> Trained:
    parents = body.get("parents") or ()
    sets = [str(parent["id"]) for parent in parents if parent.get("role") == "training set"]
    first = sets[0] if sets else None
    return Trained(
        record=str(body.get("id")),
        synthetic=str(body.get("synthetic")),
        training_set=first,
        root=roots.get(first) if first else None,
    )


def _digests(model: Mapping[str, Any]) -> list[str]:
    ends = [value for name, value in model.items() if name.endswith(END) and isinstance(value, Mapping)]
    return [str(value["sha256"]) for value in ends if value.get("sha256")]
