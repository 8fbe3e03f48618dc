# SPDX-License-Identifier: Apache-2.0
"""Three sets of images, read one by one, as one input of the checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_sets import ROLES, FeatureSets
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.pair_similarity import PairSimilarity

__all__ = ["OnRecord", "joined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRecord:
    """What is known of how the sets came about.

    Args:
        split_random: patients were assigned to training or holdout at random.
        conditioned_on_train: images were generated from inputs of training patients only.
        encoder_trained_on_train: what computes the features was fitted to training images.
    """

    split_random: bool = False
    conditioned_on_train: bool = False
    encoder_trained_on_train: bool = False


def joined(
    sets: Mapping[str, ImageSet], *, known: OnRecord | None = None, similarity: PairSimilarity | None = None
) -> FeatureSets:
    """Join training, held-out and synthetic images in the spaces that all of them have.

    Args:
        sets: ``train``, ``holdout`` and ``synthetic``.
        known: what is on record; nothing by default.
        similarity: of pairs of images, if it was computed.

    Returns:
        The sets, whose items are called ``<set>/<name>``: replace them by pseudonyms before anything is published.

    Raises:
        InputError: if they have no space in common, or a space was not computed alike in all of them.
    """
    known = known or OnRecord()
    train, holdout, synthetic = (sets[role] for role in ROLES)
    spaces = [space for space in train.spaces if all(space in found.spaces for found in sets.values())]
    if not spaces:
        raise InputError(
            "The three sets must be of one kind, all 2D, all 3D or all features of one extractor: got different ones. "
            "Compute them alike."
        )
    for space in spaces:
        _computed_alike(sets, space)
    with_sites = train.sites is not None and holdout.sites is not None
    whole = FeatureSets(
        train=train.features,
        holdout=holdout.features,
        synthetic=synthetic.features,
        train_patients=_patients(train, "train"),
        holdout_patients=_patients(holdout, "holdout"),
        synthetic_units=synthetic.patients if len(set(synthetic.patients)) > 1 else None,
        synthetic_sources=synthetic.sources,
        train_sites=train.sites if with_sites else None,
        holdout_sites=holdout.sites if with_sites else None,
        train_views=train.views,
        holdout_views=holdout.views,
        synthetic_views=synthetic.views,
        train_attributes=_attributes(train),
        holdout_attributes=_attributes(holdout),
        synthetic_attributes=_attributes(synthetic),
        train_items=[f"train/{name}" for name in train.names],
        holdout_items=[f"holdout/{name}" for name in holdout.names],
        synthetic_items=[f"synthetic/{name}" for name in synthetic.names],
        train_digests=train.digests,
        holdout_digests=holdout.digests,
        synthetic_digests=synthetic.digests,
        protocols=train.protocols,
        pair_similarity=similarity,
        split_random=known.split_random,
        conditioned_on_train=known.conditioned_on_train,
        encoder_trained_on_train=known.encoder_trained_on_train,
    )
    return replace(whole.within(spaces), protocols={k: v for k, v in train.protocols.items() if k in spaces})


def _attributes(found: ImageSet) -> dict[str, tuple[str | None, ...]]:
    """Attributes of the rows, the site among them."""
    site = {} if found.sites is None else {"site": found.sites}
    return {**site, **found.attributes}


def _patients(found: ImageSet, role: str) -> tuple[str, ...]:
    """Patients; rows that stand for one each are told apart by the set, or row 1 of two sets would be one person."""
    if found.files or found.patients != found.names:
        return found.patients
    return tuple(f"{role} {name}" for name in found.patients)


def _computed_alike(sets: Mapping[str, ImageSet], space: str) -> None:
    digests = {found.protocols[space].digest for found in sets.values() if space in found.protocols}
    if len(digests) > 1:
        raise InputError(
            "The features of a space must be computed alike in all three sets: got protocols that differ. Compute them "
            "with the same extractor, weights and preprocessing."
        )
    widths = {found.features[space].shape[1] for found in sets.values()}
    if len(widths) > 1:
        raise InputError("The sets must have equally many features: got different ones. Use one extractor.")
