# SPDX-License-Identifier: Apache-2.0
"""The provenance record: what was made of what, by what, with which limits; its id is the digest of its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import INTRINSIC_LIMITS, FrozenDict, plain
from monai_ethics.provenance.log.tree.canonical import canonical, sha256_hex
from monai_ethics.provenance.log.tree.digits import is_record_id
from monai_ethics.provenance.marks.taint import STATES

__all__ = ["RECORD_SCHEMA", "SYNTHETIC_LIMITS", "SYNTHETIC_USE", "Record", "described_synthesis", "record_id"]

RECORD_SCHEMA = "monai_ethics.provenance/1"
TYPES = (
    "acquisition",
    "import",
    "transform",
    "training",
    "synthesis",
    "inference",
    "evaluation",
    "release",
    "consent",
    "withdrawal",
)
DIGESTS = {"voxel_v1", "slices_root", "geometry_v1", "attrs_v1"}
_LATER = ("license", "consent")  # left out where empty, so that records written before have the id they had
SYNTHETIC_USE = "Research and development of methods, declared as synthetic wherever it is used."
SYNTHETIC_LIMITS = (
    *INTRINSIC_LIMITS,
    "Not to be shown, stored or counted as an acquired image of anybody, nor to be a basis of anybody's care.",
)


def record_id(record: Mapping[str, Any]) -> str:
    """``"sha256:"`` and the SHA-256 of the canonical JSON without `id` and `signatures`."""
    content = {key: value for key, value in record.items() if key not in ("id", "signatures")}
    return "sha256:" + sha256_hex(canonical(content))


def described_synthesis(content: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a record with the use and the limits that every synthesis has; its own are kept.

    Args:
        content: fields of a `Record`.
    """
    if content.get("type") != "synthesis":
        return dict(content)
    own = [text for text in content.get("limits", ()) if text not in SYNTHETIC_LIMITS]
    use = content.get("intended_use") or SYNTHETIC_USE
    return {**content, "intended_use": use, "limits": [*SYNTHETIC_LIMITS, *own]}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One provenance record.

    A record can be embedded in the file that it describes, so it holds no digest of the file's bytes: that one stands
    in a later `stored` entry.

    Args:
        type: what happened; one of `TYPES`.
        synthetic: ``"yes"``, ``"no"``, ``"partial"`` or ``"unknown"``; absent never becomes no.
        subjects: what it is about: `item` (a pseudonym), `digests`, and what else describes it.
        parents: `id` of a parent record with its `role`, such as ``"training set root"``.
        activity: software, configuration digest, transforms, seed, times.
        model: digests and ids of the model.
        agent: key id and role of who did it.
        consent_refs: keyed pseudonyms, never identifiers.
        intended_use: what it is meant for.
        limits: what it must not be used for.
        license: SPDX expression of the data or weights, such as ``"CC-BY-4.0"``.
        consent: basis on which the data are used: `basis` and what else is known of it.

    Raises:
        InputError: if a word is not in its vocabulary, or a subject holds a digest of file bytes.
    """

    type: str
    synthetic: str
    subjects: Sequence[Mapping[str, Any]] = ()
    parents: Sequence[Mapping[str, str]] = ()
    activity: Mapping[str, Any] = field(default_factory=FrozenDict)
    model: Mapping[str, Any] = field(default_factory=FrozenDict)
    agent: Mapping[str, Any] = field(default_factory=FrozenDict)
    consent_refs: Sequence[str] = ()
    intended_use: str = ""
    limits: Sequence[str] = ()
    license: str = ""
    consent: Mapping[str, Any] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, plain(getattr(self, item.name)))
        if self.type not in TYPES:
            raise InputError(f"A record's type must be one of {', '.join(TYPES)}: got another. Choose one.")
        if self.synthetic not in STATES:
            raise InputError(f"`synthetic` must be one of {', '.join(STATES)}: got another. Choose one.")
        for subject in self.subjects:
            if not isinstance(subject, Mapping) or not set(subject.get("digests", {})) <= DIGESTS:
                raise InputError(
                    f"A record's digests must be of {', '.join(sorted(DIGESTS))}: got another. "
                    "Digests of file bytes go into a `stored` entry."
                )
        for parent in self.parents:
            if set(parent) != {"id", "role"} or not is_record_id(parent["id"]):
                raise InputError("A parent must have an `id` (sha256:...) and a `role`: got another form.")

    @property
    def id(self) -> str:
        """Identity of the record."""
        return record_id(self._content())

    def _content(self) -> dict[str, Any]:
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"schema": RECORD_SCHEMA} | {k: v for k, v in content.items() if v or k not in _LATER}

    def to_dict(self) -> dict[str, Any]:
        """JSON with the id."""
        return {**self._content(), "id": self.id}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """Read what `to_dict` wrote; fields with a default may be missing.

        Raises:
            SchemaError: if a field is unknown, the schema is another, or the id is not the content's.
        """
        names = {item.name for item in fields(cls)}
        extra = set(data) - names - {"schema", "id"} if isinstance(data, Mapping) else {"?"}
        if extra or not {"type", "synthetic"} <= set(data) or data.get("schema", RECORD_SCHEMA) != RECORD_SCHEMA:
            raise SchemaError(
                f"Expected a record of {RECORD_SCHEMA} with `type` and `synthetic`: got another form. "
                "See docs/reference/evidence-format.md."
            )
        record = cls(**{key: value for key, value in data.items() if key in names})
        if data.get("id", record.id) != record.id:
            raise SchemaError("Expected a record whose id is the digest of its content: got another. It was edited.")
        return record
