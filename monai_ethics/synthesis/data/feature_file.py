# SPDX-License-Identifier: Apache-2.0
"""Feature files: features once computed, so that an audit can be repeated without images, network or GPU."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.protocol import FeatureProtocol

__all__ = ["MISSING", "UNNAMED", "read_features", "write_features"]

UNNAMED = "features"
MISSING = ("", "n/a", "nan", "null", "<na>")
COLUMNS = ("patient", "site", "digest", "source", "name")
KEPT = ("spaces", "protocol", *COLUMNS)
LONGEST = 40  # characters of a name that a message repeats
LARGE, MOST_PACKED = 2**30, 100  # bytes from which an array that shrinks more than so many times is refused


def read_features(path: Path) -> ImageSet:
    """Read a feature file.

    It holds ``features`` of shape ``(N, d)``, possibly ``features_1``, ``features_2``, ... of further spaces, whose
    names are in ``spaces``; ``views`` and ``views_1``, ... of shape ``(N, views, d)``; ``patient``, ``site``,
    ``digest``, ``source`` and ``name`` of length ``N``; ``protocol``, one JSON text a space. Every other array has
    length ``N`` and is an attribute under its own name. Without ``patient`` each row is a patient of its own.

    Args:
        path: an ``.npz`` file.

    Raises:
        InputError: if it is none, or an array has another shape or type.
    """
    content = _loaded(path)
    main = content.get("features")
    if main is None or main.ndim != 2 or not len(main):
        raise InputError("Expected an array `features` of shape (images, features) in the .npz file: got none. Add it.")
    stored = [name for name in content if _is_part(name, "features")]
    spaces = _space_names(content, stored)
    others = {name for name in content if name not in KEPT and not _is_part(name, "features", "views")}
    _of_length(content, {*others, *COLUMNS} & set(content), len(main))
    numbered = tuple(f"row {i + 1}" for i in range(len(main)))
    patients, sites, names = (_texts(content, name) for name in ("patient", "site", "name"))
    return ImageSet(
        features={spaces[name]: _numbers(content[name], main, name) for name in stored},
        views={
            spaces[_paired(name)]: _numbers(content[name], main, name)
            for name in content
            if _is_part(name, "views") and _paired(name) in spaces
        },
        patients=_complete(patients, "patient") if patients else numbered,
        names=tuple(str(name or row) for name, row in zip(names, numbered, strict=True)) if names else numbered,
        sites=_complete(sites, "site") if sites else None,
        attributes={name: _texts(content, name) or () for name in sorted(others)},
        digests=_texts(content, "digest"),
        sources=_texts(content, "source"),
        protocols=_protocols(content, list(spaces.values())),
    )


def write_features(path: Path, images: ImageSet) -> None:
    """Write a feature file; equal sets give equal bytes.

    Args:
        path: the ``.npz`` file.
        images: what is written; its files are not.

    Raises:
        InputError: if an attribute is called like one of the file's own arrays.
    """
    arrays: dict[str, np.ndarray] = {"spaces": np.array(images.spaces)}
    for number, space in enumerate(images.spaces):
        end = f"_{number}" if number else ""
        arrays[f"features{end}"] = images.features[space]
        if space in images.views:
            arrays[f"views{end}"] = images.views[space]
    arrays["patient"] = np.array(images.patients)
    arrays["name"] = np.array(images.names)
    for name, column in (("site", images.sites), ("digest", images.digests), ("source", images.sources)):
        if column is not None:
            arrays[name] = _stored(column)
    if images.protocols:
        known = images.protocols
        arrays["protocol"] = np.array([known[space].to_json() if space in known else "" for space in images.spaces])
    for name, column in sorted(images.attributes.items()):
        if name in KEPT or _is_part(name, "features", "views") or "/" in name or name in ("file", "allow_pickle"):
            raise InputError(
                "Expected attributes with names of their own: got one called like an array of the feature file. "
                "Rename it."
            )
        arrays[name] = _stored(column)
    np.savez(path, allow_pickle=False, **arrays)


def _loaded(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as members:
            if any(one.file_size > max(LARGE, MOST_PACKED * one.compress_size) for one in members.infolist()):
                raise ValueError("a small file that fills the memory")
        with np.load(path, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name]) for name in stored.files}
    except Exception as error:  # readers of damaged files raise what they like
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            "Expected an .npz file without pickled objects: got another. Save it with np.savez."
        ) from error


def _is_part(name: str, *kinds: str) -> bool:
    kind, _, number = name.partition("_")
    return kind in kinds and (name == kind or (number.isascii() and number.isdigit()))


def _paired(name: str) -> str:
    return name.replace("views", "features", 1)


def _space_names(content: Mapping[str, np.ndarray], stored: list[str]) -> dict[str, str]:
    stored.sort(key=lambda name: int(name.partition("_")[2] or 0))
    given = [str(name) for name in np.atleast_1d(content["spaces"])] if "spaces" in content else []
    names = given or [UNNAMED, *(f"{UNNAMED} {number}" for number in range(2, len(stored) + 1))]
    if len(names) != len(stored) or len(set(names)) != len(names):
        raise InputError("Expected a name of its own in `spaces` for each array of features: got others. Name each.")
    return dict(zip(stored, names, strict=True))


def _of_length(content: Mapping[str, np.ndarray], names: Iterable[str], length: int) -> None:
    wrong = sorted(name for name in names if content[name].ndim != 1 or len(content[name]) != length)
    if wrong:
        shown = dict.fromkeys(f"`{name}`" if name.isidentifier() and len(name) <= LONGEST else "all" for name in wrong)
        raise InputError(
            f"Expected {', '.join(shown)} of the .npz file to have a value for each row: got others. Give one for each "
            "row, or leave it out."
        )


def _numbers(array: np.ndarray, main: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "fiub":
        raise InputError(f"Expected `{name}` of the .npz file to be real numbers: got another type. Convert them.")
    if array.ndim != (3 if name.startswith("views") else 2) or len(array) != len(main):
        raise InputError(f"Expected `{name}` of the .npz file to have the rows of `features`: got others. Store both.")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _texts(content: Mapping[str, np.ndarray], name: str) -> tuple[str | None, ...] | None:
    if name not in content:
        return None
    texts = [_text(value).strip() for value in content[name]]
    return tuple(None if text.lower() in MISSING else text for text in texts)


def _text(value: object) -> str:
    """Words as they are, and 7 for 7.0 and b"7": one patient may be stored so in one set and so in another."""
    if isinstance(value, bytes):
        return value.decode()
    return str(int(value)) if isinstance(value, np.floating) and value.is_integer() else str(value)


def _complete(column: tuple[str | None, ...], name: str) -> tuple[str, ...]:
    filled = tuple(value for value in column if value is not None)
    if len(filled) != len(column):
        raise InputError(
            f"Expected a `{name}` for each row of the .npz file: got none for {len(column) - len(filled)} of "
            f"{len(column)}. Fill them in, or leave the array out."
        )
    return filled


def _protocols(content: Mapping[str, np.ndarray], spaces: list[str]) -> dict[str, FeatureProtocol]:
    if "protocol" not in content:
        return {}
    texts = [str(text) for text in np.atleast_1d(content["protocol"])]
    if len(texts) != len(spaces):
        raise InputError("Expected one protocol for each space of the .npz file: got another number. Store each.")
    return {space: FeatureProtocol.from_json(text) for space, text in zip(spaces, texts, strict=True) if text}


def _stored(column: tuple[str | None, ...]) -> np.ndarray:
    return np.array(["" if value is None else value for value in column])
