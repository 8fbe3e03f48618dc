# SPDX-License-Identifier: Apache-2.0
"""When training and held-out patients are exchangeable: what is on record, and whom it lets one compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.synthesis.data.feature_sets import FeatureSets

__all__ = [
    "balanced_sources",
    "require_exchangeable",
    "require_sets",
    "restricted_to",
    "spaces_left_out",
    "strata_of",
    "without_left_out",
]

FITTED = "fitted to the training images, which alone sets them apart"
UNKNOWN = "not on record whether it was fitted to the training images"


def spaces_left_out(sets: FeatureSets) -> dict[str, str]:
    """Spaces that the training images had a part in, with the reason why no p-value can rest on them."""
    reasons: dict[str, str] = {}
    for space in sets.spaces:
        protocol = sets.protocols.get(space)
        fitted = sets.encoder_trained_on_train if protocol is None else protocol.fitted_on_train
        if fitted is None:
            fitted = True if sets.encoder_trained_on_train else None
        if fitted is not False:
            reasons[space] = FITTED if fitted else UNKNOWN
    return reasons


def without_left_out(sets: FeatureSets, left_out: Mapping[str, str]) -> FeatureSets:
    """The sets in the other spaces.

    Args:
        sets: features.
        left_out: spaces with the reason why, as `spaces_left_out` gives them.

    Raises:
        NotAssessableError: if no space is left.
    """
    kept = [space for space in sets.spaces if space not in left_out]
    if not kept:
        reasons = "; ".join(dict.fromkeys(left_out.values()))
        raise NotAssessableError(f"No space of features is left: {reasons}. Add one, such as raw pixels.")
    return sets.within(kept) if left_out else sets


def require_sets(sets: FeatureSets) -> None:
    """Raise unless there are training, held-out and synthetic images of different patients.

    Raises:
        NotAssessableError: if a set is empty or a patient is in both real sets.
    """
    sizes = [sets.size(role) for role in ("train", "holdout", "synthetic")]
    if not all(sizes):
        raise NotAssessableError(
            f"Training, held-out and synthetic images are all needed: got {sizes[0]}, {sizes[1]} and {sizes[2]}."
        )
    if {*sets.train_patients} & {*sets.holdout_patients}:
        raise NotAssessableError("Some patients are in training and in the holdout.")


def require_exchangeable(sets: FeatureSets) -> None:
    """Raise unless exchangeability of training and held-out patients follows from what is on record.

    Raises:
        NotAssessableError: if a set is missing, a patient is in both, the split was not random, the images were
            conditioned on training patients alone, or patients have different numbers of images.
    """
    require_sets(sets)
    refusals = (
        (not sets.split_random, "It is not on record that patients were assigned to training or holdout at random."),
        (
            sets.conditioned_on_train,
            "The images were generated from inputs of training patients, who are near for that.",
        ),
    )
    for refused, reason in refusals:
        if refused:
            raise NotAssessableError(reason)
    per_patient = np.unique([*sets.train_patients, *sets.holdout_patients], return_counts=True)[1]
    if len(set(per_patient.tolist())) > 1:
        raise NotAssessableError(
            f"Patients have between {per_patient.min()} and {per_patient.max()} images, and who has more is near more "
            "easily: give equally many images of each."
        )


def balanced_sources(sets: FeatureSets) -> dict[str, int] | None:
    """Synthetic images that were generated from the inputs of each real patient; ``None`` if none was from any.

    A patient whose image or mask was given to the generator is near its output for that, trained on or not. Among such
    patients, with equally many outputs each, training and held-out ones are exchangeable; with others they are not.

    Raises:
        NotAssessableError: if as many training as held-out patients, with as many outputs each, were not used.
    """
    given = Counter(source for source in sets.synthetic_sources or () if source is not None)
    outputs = {
        role: {patient: given[patient] for patient in sorted({*getattr(sets, f"{role}_patients")}) if given[patient]}
        for role in ("train", "holdout")
    }
    members, others = outputs["train"], outputs["holdout"]
    if not members and not others:
        return None
    if Counter(members.values()) != Counter(others.values()):
        raise NotAssessableError(
            f"Synthetic images were generated from inputs of {len(members)} training and {len(others)} held-out "
            f"patients, {sum(members.values())} and {sum(others.values())} images: generate equally many from equally "
            "many of each, since whoever's input was used is near for that."
        )
    return {**members, **others}


def restricted_to(sets: FeatureSets, sources: Mapping[str, int]) -> FeatureSets:
    """Only the real patients whose inputs were given to the generator.

    Args:
        sets: features.
        sources: those patients, as `balanced_sources` gives them.
    """
    return sets.taken(
        train=[i for i, patient in enumerate(sets.train_patients) if patient in sources],
        holdout=[i for i, patient in enumerate(sets.holdout_patients) if patient in sources],
    )


def strata_of(sets: FeatureSets, sources: Mapping[str, int] | None) -> dict[str, str] | None:
    """Within what labels of real patients move: site, and the number of outputs; ``None`` if among all.

    Args:
        sets: features of the patients who are compared.
        sources: number of outputs of each patient, as `balanced_sources` gives them.
    """
    site: dict[str, str] = {}
    if sets.train_sites is not None and sets.holdout_sites is not None:
        site = dict(zip(sets.train_patients, sets.train_sites, strict=True))
        site |= dict(zip(sets.holdout_patients, sets.holdout_sites, strict=True))
    patients = [*sets.train_patients, *sets.holdout_patients]
    strata = {patient: f"{(sources or {}).get(patient, 0)} {site.get(patient, '')}" for patient in patients}
    return strata if len(set(strata.values())) > 1 else None
