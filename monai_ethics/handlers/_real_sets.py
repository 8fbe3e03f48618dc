# SPDX-License-Identifier: Apache-2.0
"""The real images that a generator is compared with, as features, and the features of what it makes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monai_ethics.errors import EthicsError, InputError, NotAssessableError
from monai_ethics.synthesis.data.feature_file import read_features
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.joined import OnRecord, joined
from monai_ethics.synthesis.data.protocol import FeatureProtocol
from monai_ethics.synthesis.features.pixels import PixelExtractor

__all__ = ["PixelFeatures", "feature_file", "feature_sets", "features_of", "read_real"]

BATCH = 16


class PixelFeatures:
    """Raw 16x16 pixels of images of either kind: what is used where nothing else is named."""

    def __init__(self) -> None:
        self._made = PixelExtractor(spatial_dims=2)
        self._dims = 2

    @property
    def protocol(self) -> FeatureProtocol:
        return self._made.protocol

    def __call__(self, images: torch.Tensor, /) -> torch.Tensor:
        if images.ndim - 2 != self._dims:
            self._dims = images.ndim - 2
            self._made = PixelExtractor(spatial_dims=self._dims)
        return self._made(images)


def features_of(images: torch.Tensor, extractor: Any) -> np.ndarray:
    """Features of images; those with a number that is not finite are left out.

    Args:
        images: shape ``(N, C, *spatial)``.
        extractor: from images to features.

    Returns:
        Shape ``(M, d)``, ``M <= N``, float32.

    Raises:
        NotAssessableError: if these are no images.
    """
    found = torch.as_tensor(images).detach()
    if found.ndim not in (4, 5):
        raise NotAssessableError("What was sampled is no batch of images with channels, in 2D or 3D.")
    finite = torch.isfinite(found).flatten(1).all(dim=1)
    parts = [
        np.asarray(extractor(part).cpu(), dtype=np.float32) for part in torch.split(found[finite], BATCH) if len(part)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)


def feature_file(source: str | os.PathLike[str]) -> Path:
    """The path of a feature file.

    Raises:
        InputError: if there is none.
    """
    path = Path(source)
    if path.suffix != ".npz" or not path.is_file():
        raise InputError(
            "Expected a feature file (.npz) of real images: got another path. Write one with `monai-ethics features`, "
            "or give a dataset."
        )
    return path


def read_real(source: Any, extractor: Any, *, patient_key: str = "patient") -> ImageSet:
    """One set of real images as features.

    Args:
        source: an `ImageSet`, a feature file (``.npz``), or a dataset of dicts with ``image`` of shape
            ``(C, *spatial)``, as the generator sees images, and the patient.
        extractor: computes features of a dataset's images.
        patient_key: key of the patient in a dataset's items.

    Raises:
        InputError: if it is none of these, or the items name no patient.
    """
    if isinstance(source, ImageSet):
        return source
    if isinstance(source, (str, os.PathLike)):
        return read_features(feature_file(source))
    try:
        items = [source[i] for i in range(len(source))]
        images = [torch.as_tensor(item["image"]) for item in items]
        patients = tuple(str(item[patient_key]) for item in items)
        features = [features_of(image[None], extractor) for image in images]
    except (TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"Expected a dataset of dicts with `image` and `{patient_key}`: got another. Name the key of the patient."
        ) from error
    except EthicsError:
        raise
    except Exception as error:  # a dataset's transforms raise what they like, with the file's name in it
        raise InputError(
            f"Expected a dataset whose items can be read: one failed with {type(error).__name__}. Replace or remove it."
        ) from error
    if not features or not all(len(row) for row in features):
        raise InputError("Expected real images of finite numbers: got none, or others. Leave those out.")
    protocol = extractor.protocol
    return ImageSet(
        features={protocol.name: np.concatenate(features)},
        patients=patients,
        names=tuple(f"row {i + 1}" for i in range(len(items))),
        protocols={protocol.name: protocol},
    )


def feature_sets(
    train: ImageSet,
    holdout: ImageSet,
    synthetic: np.ndarray,
    *,
    facts: Mapping[str, bool],
    extractor: Any,
    names: Sequence[str] | None = None,
) -> FeatureSets:
    """The three sets in the one space in which the synthetic images are.

    Args:
        train: training images.
        holdout: held-out images.
        synthetic: features of synthetic images, shape ``(N, d)``.
        facts: ``split_random``, ``conditioned_on_train``.
        extractor: computed them.
        names: what the synthetic images are called; private.

    Raises:
        NotAssessableError: if the features of the three sets cannot be compared.
    """
    protocol = extractor.protocol
    width = synthetic.shape[1]
    known = [protocol, *train.protocols.values(), *holdout.protocols.values()]
    fitted = any(one.fitted_on_train is True for one in known if one.name == protocol.name)
    called = tuple(names or [f"row {i + 1}" for i in range(len(synthetic))])
    made = ImageSet(features={protocol.name: synthetic}, patients=called, names=called)
    sets = {
        "train": _in_space(train, protocol, width),
        "holdout": _in_space(holdout, protocol, width),
        "synthetic": replace(made, protocols={protocol.name: protocol}),
    }
    return joined(sets, known=OnRecord(encoder_trained_on_train=fitted, **facts))


def _in_space(images: ImageSet, protocol: FeatureProtocol, width: int) -> ImageSet:
    """The set in the one space of a protocol, without views."""
    rows = _matching(images, protocol, width)
    return replace(images, features={protocol.name: rows}, views={}, protocols={protocol.name: protocol})


def _matching(images: ImageSet, protocol: FeatureProtocol, width: int) -> np.ndarray:
    """The rows in the protocol's space; a file that does not name its spaces has one, which is taken by its width."""
    rows = images.features.get(protocol.name)
    if rows is None and not images.protocols:
        rows = images.features[images.spaces[0]]
    stored = images.protocols.get(protocol.name)
    other = stored is not None and stored.weights != protocol.weights
    if rows is None or rows.shape[1] != width or other:
        raise NotAssessableError(
            "The stored features of real images were computed in another way than those of the synthetic images: "
            "give the extractor they were computed with."
        )
    return rows
