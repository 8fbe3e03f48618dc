# SPDX-License-Identifier: Apache-2.0
"""One set of images, read from a folder of images or from a feature file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_file import read_features
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.images import ImageFiles, find_images, read_image
from monai_ethics.synthesis.data.participants import describe
from monai_ethics.synthesis.features.extract import extract
from monai_ethics.synthesis.features.extractor import FeatureExtractor
from monai_ethics.synthesis.features.pixels import PixelExtractor
from monai_ethics.synthesis.features.views import standard_views

__all__ = ["Extractors", "ImageSet", "Progress", "read_image_set"]

Extractors = Callable[[int], Sequence[FeatureExtractor]]
Progress = Callable[[int, int], None]


def read_image_set(
    path: Path,
    *,
    pattern: str = "*",
    attributes: Path | None = None,
    extractors: Extractors | None = None,
    views: bool = False,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> ImageSet:
    """Read one set.

    A folder holds NIfTI, DICOM, PNG (``pip install "monai_ethics[report]"``) or npy files, also in folders below it;
    see `find_images` and `describe` for what becomes an image and who is on it. Images are read once and a batch at a
    time; what stays are their features. An ``.npz`` file holds features; see `read_features`.

    Args:
        path: folder or ``.npz`` file.
        pattern: which files of a folder are images, such as ``"*_image.nii.gz"``.
        attributes: table of attributes of the images of a folder; see `describe`.
        extractors: the extractors for images of 2 or 3 dimensions, the main one first; raw pixels of 16 a side come
            after them, always.
        views: whether the features of flipped and shifted images are computed as well; see `standard_views`.
        batch_size: images in memory at a time.
        progress: called with the number of images done and of all.

    Raises:
        InputError: if there is no image, or one cannot be read; it is named by its position in sorted order.
    """
    if path.suffix == ".npz" and path.is_file():
        if attributes is not None:
            raise InputError(
                "Expected attributes of a feature file as arrays in it: got a table. Compute the features with the "
                "table, or leave it out."
            )
        return read_features(path)
    if not path.is_dir():
        raise InputError("Expected a folder of images or an .npz file of features: got neither. Check the path.")
    found = find_images(path, pattern=pattern)
    described = describe(path, found, attributes=attributes)
    images = _images(found)
    first = next(images)
    dims = first.ndim - 1
    given = list(extractors(dims)) if extractors is not None else []
    pixels = PixelExtractor(spatial_dims=dims)
    spaces = [item for item in given if item.protocol.name != pixels.protocol.name]
    if progress is not None:
        progress(0, len(found))
    computed = extract(
        _of_one_kind(chain((first,), images), dims),
        [*spaces, pixels],
        views=standard_views(dims) if views else (),
        batch_size=batch_size,
        progress=None if progress is None else lambda done: progress(done, len(found)),
    )
    return ImageSet(
        features=computed.features,
        views=computed.views,
        protocols=computed.protocols,
        patients=described.patients,
        names=tuple(image.name for image in found),
        sites=described.sites,
        attributes=described.attributes,
        sources=described.sources,
        files=tuple(image.files for image in found),
    )


def _images(found: Sequence[ImageFiles]) -> Iterator[torch.Tensor]:
    for position, image in enumerate(found):
        yield torch.from_numpy(read_image(image.files, called=f"number {position + 1} in sorted order"))


def _of_one_kind(images: Iterator[torch.Tensor], dims: int) -> Iterator[torch.Tensor]:
    for image in images:
        if image.ndim - 1 != dims:
            raise InputError("Expected images that are all 2D or all 3D: got both. Compare them apart.")
        yield image
