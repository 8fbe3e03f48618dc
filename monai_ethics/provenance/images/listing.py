# SPDX-License-Identifier: Apache-2.0
"""Which image files paths stand for, and their digests; a file that cannot be read is named by its position."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.digest import FileDigests, digest_file
from monai_ethics.provenance.images.read import is_dicom
from monai_ethics.provenance.log.tree.canonical import file_sha256
from monai_ethics.provenance.marks.peek import peek_marks
from monai_ethics.provenance.marks.sidecar import SIDECAR, sidecar_marks
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = [
    "UNREAD",
    "declared_digests",
    "digests_of",
    "image_files",
    "is_image_file",
    "item_files",
    "marked_digests",
    "unread_in",
]

_DEEPEST = 8  # lists and mappings within an item
_VOLUMES = (".nii", ".nii.gz", ".hdr", ".dcm", ".dicom", ".nrrd", ".mha", ".mgh", ".mgz", ".npy")
_SUFFIXES = (*_VOLUMES, ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
UNREAD = (".mhd", ".nhdr", ".nii.bz2", ".img", ".webp", ".npz")  # images of formats that are not read here


def image_files(paths: Sequence[Path]) -> list[Path]:
    """Files of a list of files and folders, in order; of a folder all images in it, hidden ones left out.

    Raises:
        InputError: if there is none, or a path does not exist.
    """
    found: dict[Path, None] = {}
    for position, path in enumerate(map(Path, paths), start=1):
        if path.is_dir():
            found.update(dict.fromkeys(_images_in(path)))
        elif path.exists():
            found[path.absolute()] = None
        else:
            raise InputError(f"Expected path {position} to exist: it does not. Check its spelling.")
    if not found:
        raise InputError("Expected image files: got none in the given paths. Give files, or a folder that has some.")
    return list(found)


def _images_in(folder: Path) -> list[Path]:
    """Images of a folder and of the folders in it, through links as well; hidden ones are left out.

    Raises:
        OSError: if a folder in it cannot be listed: nobody can say then what it holds.
    """
    found, seen = [], set()
    for root, names, files in os.walk(folder, followlinks=True, onerror=_fail):
        real = os.path.realpath(root)
        names[:] = [] if real in seen else [name for name in names if not name.startswith(".")]
        here = [] if real in seen else [Path(root, name) for name in files if not name.startswith(".")]
        seen.add(real)
        found += [path.absolute() for path in here if path.is_file() and not path.name.endswith(SIDECAR)]
    return sorted(path for path in found if is_image_file(path))


def _fail(error: OSError) -> None:
    raise error


def unread_in(paths: Sequence[Path]) -> int:
    """How many files in the folders of a list look like images of formats that are not read here."""
    folders = [path for path in map(Path, paths) if path.is_dir()]
    names = [file.name.lower() for folder in folders for file in folder.rglob("*") if file.is_file()]
    return sum(name.endswith(UNREAD) and name.removesuffix(".img") + ".hdr" not in names for name in names)


def is_image_file(path: Path) -> bool:
    """Whether an existing file is an image that is read here, by its name, or by how DICOM files begin."""
    return path.name.lower().endswith(_SUFFIXES) or (path.name.upper() != "DICOMDIR" and is_dicom(path))


def digests_of(files: Sequence[Path], *, declared: bool = False) -> list[FileDigests]:
    """Digests of files with the marks that they or their sidecars carry.

    Args:
        files: the files.
        declared: whether a file whose values cannot be read may stand in the list with its marks alone, where those
            say that it is synthetic.

    Raises:
        InputError: if one cannot be read; nothing is written before all were read.
    """
    found = []
    for position, path in enumerate(files, start=1):
        try:
            found.append(marked_digests(path))
        except InputError as error:
            bare = declared_digests(path) if declared else None
            if bare is None or not carries_synthetic(bare.marks.synthetic):
                raise InputError(f"Image {position} of {len(files)}: {error}") from error
            found.append(bare)
    return found


def marked_digests(path: Path) -> FileDigests:
    """All digests of one file, with the marks that it or its sidecar carries.

    Raises:
        InputError: if it cannot be read.
    """
    digests = digest_file(path, robust=True)
    return replace(digests, marks=sidecar_marks(path, digests))


def declared_digests(path: Path) -> FileDigests:
    """The bytes' digest and the marks of a file whose values cannot be read here, as those of some compressions.

    Others may read them: what the header or the sidecar says must not get lost with them.
    """
    try:
        digest = file_sha256(path)
    except OSError:  # a folder, or nothing
        return FileDigests(file_sha256="", voxel_v1=None, geometry_v1="")
    bare = FileDigests(file_sha256=digest, voxel_v1=None, geometry_v1="")
    marks = sidecar_marks(path, bare)
    if not carries_synthetic(marks.synthetic):
        marks = replace(peek_marks(path), voxel_v1=None)  # nothing here tells whose values they are
    return replace(bare, marks=marks)


def item_files(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and path of every file in a dataset item; a folder stands for the files of a series in it.

    Files are looked for where a loader would find them: in lists, arrays and mappings within the item, behind ``~``,
    and in the meta of an image that was loaded already.
    """
    out = []
    for key, value in item.items():
        for name in _names(value):
            path = os.path.expanduser(name)
            if os.path.isfile(path):
                out.append((str(key), path))
            elif os.path.isdir(path):
                out += [(str(key), inner) for inner in sorted(one.path for one in os.scandir(path) if one.is_file())]
    return out


def _names(value: Any, depth: int = 0) -> Iterator[str]:
    """Texts in a value that may name a file."""
    meta = getattr(value, "meta", None)
    if isinstance(value, (str, os.PathLike)):
        if os.fspath(value):
            yield os.fsdecode(value)
    elif depth == _DEEPEST:
        return
    elif isinstance(meta, Mapping):
        yield from _names(meta.get("filename_or_obj"), depth + 1)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _names(inner, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _names(inner, depth + 1)
    elif getattr(getattr(value, "dtype", None), "kind", "") in ("O", "U"):
        yield from _names(value.ravel().tolist(), depth + 1)
