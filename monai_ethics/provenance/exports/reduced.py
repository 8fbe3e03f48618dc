# SPDX-License-Identifier: Apache-2.0
"""One record, reduced to what may leave the house."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monai_ethics.provenance.log.reading.bodies import as_list, as_mapping, as_mappings
from monai_ethics.provenance.log.reading.entries import Entry
from monai_ethics.provenance.log.tree.digits import is_record_id
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = ["MODEL_ROLES", "Checkpoint", "Made", "counted", "is_released", "made_of"]

#: parents that are named also where another log holds their record
MODEL_ROLES = ("model", "training set", "validation set", "synthetic set")
_PEOPLE = ("consent", "withdrawal")
_IMAGES = ("acquisition", "import", "transform", "synthesis", "inference")
_ACTIVITY = ("software", "seed", "sampler", "source", "acquisition", "deidentification")
_MODEL = ("weights_sha256", "training_set", "trained_on_synthetic", "unknown_origin", "generator", "version", "license")
_SET = ("role", "root", "n", "subjects", "unattributed")
SIGNED_DIGESTS = ("voxel_v1", "geometry_v1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file with weights.

    Args:
        record: id of the record of its training.
        sha256: digest of its bytes.
        size: bytes.
        weights: digests of the states in it.
    """

    record: str
    sha256: str
    size: int
    weights: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What leaves of one record.

    Args:
        id: of the record, ``sha256:...``.
        kind: ``"set"``, ``"model"`` (a training and its weights), ``"run"`` or ``"image"``.
        type: of the record.
        synthetic: as recorded.
        time: of its entry; the writer's claim.
        parents: id and role of those that are named.
        unnamed: number of parents that are not named, by role.
        license: SPDX expression, or whatever was recorded.
        intended_use: as recorded.
        limits: as recorded.
        consent: basis of consent, of sets only.
        set: role, root, and sizes of a set.
        activity: software, seed, sampler; of sets also where the images come from.
        model: digest of weights, generator, version, and what it learned from.
        conditioning: what a generated image was conditioned on, where nobody acquired that.
        digests: of the values of a fully synthetic image.
        media_type: of an image.
        shape: of an image.
        layers: of marks that are recorded of an image.
    """

    id: str
    kind: str
    type: str
    synthetic: str
    time: str
    parents: Sequence[tuple[str, str]] = ()
    unnamed: Mapping[str, int] = field(default_factory=dict)
    license: str = ""
    intended_use: str = ""
    limits: Sequence[str] = ()
    consent: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    activity: Mapping[str, str] = field(default_factory=dict)
    model: Mapping[str, str] = field(default_factory=dict)
    conditioning: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    media_type: str = ""
    shape: Sequence[int] = ()
    layers: Sequence[str] = ()

    @property
    def hex(self) -> str:
        """The 64 hex digits of the id: the only part of any record from which other formats' ids are made."""
        return self.id.removeprefix("sha256:")

    @property
    def is_synthetic_image(self) -> bool:
        """Whether it is an image that is synthetic, wholly or in part."""
        return self.kind == "image" and carries_synthetic(self.synthetic)

    @property
    def label(self) -> str:
        """What it is, in words of this package only."""
        if self.kind == "set":
            return f"{self.set.get('role', 'set')} of {counted(self.set.get('n', '?'), 'image')}"
        states = {"yes": "synthetic image", "partial": "partly synthetic image"}
        words = {"model": "model and its training", "image": states.get(self.synthetic, "image")}
        return words.get(self.kind, f"{self.type} run")


def counted(n: object, what: str) -> str:
    """A number with its noun, such as ``"1 image"``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def is_released(body: Mapping[str, Any]) -> bool:
    """Whether a record may leave: it is of a set, a run or a model, or of an image with a synthetic part."""
    if body.get("type") in _PEOPLE:
        return False
    return _kind(body) != "image" or carries_synthetic(body.get("synthetic"))


def made_of(entry: Entry, *, released: Collection[str], layers: Sequence[str]) -> Made:
    """Reduce a record.

    Args:
        entry: the entry that holds it.
        released: ids of the records that may be named; models and sets of other logs may be besides.
        layers: of marks that are recorded of its image.
    """
    body = entry.body
    kind = _kind(body)
    parents = [(str(p.get("id")), str(p.get("role"))) for p in as_mappings(body.get("parents"))]
    named = [pair for pair in parents if pair[0] in released or (pair[1] in MODEL_ROLES and is_record_id(pair[0]))]
    seen = set(named)
    unnamed = dict(sorted(Counter(role for name, role in parents if (name, role) not in seen).items()))
    activity, model = as_mapping(body.get("activity")), as_mapping(body.get("model"))
    image = next(iter(as_mappings(body.get("subjects"))), {}) if kind == "image" else {}
    generated = kind == "image" and body.get("synthetic") == "yes"
    conditioned = activity.get("conditioning") if generated and not unnamed else None
    return Made(
        id=str(body.get("id")),
        kind=kind,
        type=str(body.get("type")),
        synthetic=str(body.get("synthetic", "unknown")),
        time=entry.time,
        parents=named,
        unnamed=unnamed,
        license=_text(body.get("license")) or _text(model.get("license") if kind == "model" else None),
        intended_use=_text(body.get("intended_use")),
        limits=[str(item) for item in as_list(body.get("limits"))],
        consent=_text(as_mapping(body.get("consent")).get("basis")) if kind == "set" else "",
        set={name: value for name, value in as_mapping(activity.get("set")).items() if name in _SET},
        activity=_texts(activity, _ACTIVITY if kind == "set" else _ACTIVITY[:3]),
        model=_texts({**model, **_bundle(model)}, _MODEL),
        conditioning=_text(conditioned),
        digests=_texts(as_mapping(image.get("digests")), SIGNED_DIGESTS) if generated else {},
        media_type=_text(image.get("media_type")),
        shape=[int(size) for size in as_list(image.get("shape")) if isinstance(size, int)],
        layers=layers,
    )


def _kind(body: Mapping[str, Any]) -> str:
    activity = as_mapping(body.get("activity"))
    if "set" in activity:
        return "set"
    if body.get("type") == "training":
        return "model"
    return "image" if body.get("type") in _IMAGES and "engines" not in activity else "run"


def _bundle(model: Mapping[str, Any]) -> dict[str, Any]:
    bundle = as_mapping(model.get("bundle"))
    given = {"generator": bundle.get("name"), "version": bundle.get("version")}
    return {name: value for name, value in given.items() if value and not model.get(name)}


def _texts(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    return {name: _text(values[name]) for name in names if values.get(name) not in (None, "", (), {})}


def _text(value: Any) -> str:
    """Words of a value; nested ones as they would be read aloud."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else "" if value is None else str(value)
