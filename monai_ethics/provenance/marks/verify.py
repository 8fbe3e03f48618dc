# SPDX-License-Identifier: Apache-2.0
"""Verification of marked files: what of each is as it was signed, what changed, and what cannot be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import FrozenDict
from monai_ethics.provenance.images.digest import FileDigests, digest_image, slice_digests
from monai_ethics.provenance.images.read import Image, read_image
from monai_ethics.provenance.keys.standing import Revocations
from monai_ethics.provenance.log.tree.canonical import file_sha256
from monai_ethics.provenance.marks.compare import CHANGED, compare_clear, compare_file
from monai_ethics.provenance.marks.sidecar import SIDECAR_SCHEMA, read_sidecar
from monai_ethics.provenance.marks.taint import carries_synthetic
from monai_ethics.provenance.marks.trust import Trust, trust_through
from monai_ethics.provenance.records.record import record_id
from monai_ethics.provenance.registry.witness import Witness, load_witness
from monai_ethics.provenance.signed.envelope import Statement, read_statement

__all__ = ["STATUSES", "FileVerification", "FilesVerification", "verify_file", "verify_marked"]

_MEANING = {
    "as-signed": "the file, its marks and its sidecar are what was signed.",
    "carried": "the file was stored anew; all that the statement covers is as it was signed.",
    "derived": "the values are not those that were signed: the image was made from the signed one, or replaced it.",
    "stripped": "part of the marks was removed; what is left is as it was signed.",
    "altered": "what it says is not what was signed.",
    "wrong-key": "it is as it was signed, but by none of the keys that you trust, or by one that was revoked.",
    "unsigned": "nothing signed belongs to it: its marks say what anybody could have written.",
    "unmarked": "it carries no mark and has no sidecar: nothing is known of it.",
    "unreadable": "it cannot be read as an image, and no statement is of its bytes.",
}
STATUSES = tuple(_MEANING)
_LISTED = 20  # files of which each is told
_INTACT = ("as-signed", "carried")
# follow the values of a derived image
_GEOMETRIC = frozenset(
    f"attribute.{name}"
    for name in (
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "PixelSpacing",
        "RescaleIntercept",
        "RescaleSlope",
        "SliceThickness",
    )
) | {"values", "geometry"}


@dataclass(frozen=True, kw_only=True)
class FileVerification:
    """What verifying one file found.

    Args:
        status: one of `STATUSES`; the gravest that applies.
        fields: for each covered field ``"kept"``, ``"changed"``, ``"removed"``, ``"added"`` or ``"not comparable"``;
            ``file`` stands for the bytes, which every way of storing changes.
        synthetic: what the signed statement says, or ``None``.
        record: id of the record that was signed, or ``None``.
        signer: fingerprint of the key that signed, or ``None``.
        signer_trusted: whether that key was given as trusted; ``None`` if none was given.
        notes: what else a reader must know, in words.
    """

    status: str
    fields: Mapping[str, str] = field(default_factory=FrozenDict)
    synthetic: str | None = None
    record: str | None = None
    signer: str | None = None
    signer_trusted: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether nothing speaks against the file; the command line exits with 1 otherwise."""
        return self.status in _INTACT

    @property
    def faults(self) -> dict[str, str]:
        """Covered fields that are not as they were signed, by what became of them."""
        return {name: state for name, state in self.fields.items() if state in CHANGED and name != "file"}

    @property
    def text(self) -> str:
        """The result for people, without the name of the file."""
        faults = [f"  {name}: {state}" for name, state in self.faults.items()]
        return "\n".join([f"{self.status}: {_MEANING[self.status]}", *faults, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True, kw_only=True)
class FilesVerification:
    """What verifying several files found, by position."""

    files: tuple[FileVerification, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing speaks against any file."""
        return all(file.intact for file in self.files)

    @property
    def counts(self) -> dict[str, int]:
        """Number of files by status."""
        return dict(sorted(Counter(file.status for file in self.files).items()))

    @property
    def text(self) -> str:
        """The result for people, by position; of many files, those against which nothing speaks are only counted."""
        few = len(self.files) <= _LISTED
        told = [(position, file) for position, file in enumerate(self.files, start=1) if few or not file.intact]
        lines = [f"image {position}: {file.text}" for position, file in told]
        lines.append(", ".join(f"{count} {status}" for status, count in self.counts.items()))
        if any(file.signer and file.signer_trusted is None for file in self.files):
            lines.append(
                "Not visible without a trusted key: whether somebody changed a file and signed it again. "
                "Give --trust with the writer's public key."
            )
        return "\n".join([*lines, "This shows that a file is as it was signed, not that what was signed is true."])

    def to_dict(self) -> dict[str, Any]:
        """The result for programs."""
        rows = [
            {"position": position, **asdict(file), "fields": dict(file.fields), "notes": list(file.notes)}
            for position, file in enumerate(self.files, start=1)
        ]
        return {"intact": self.intact, "counts": self.counts, "files": rows}


def verify_marked(
    paths: Sequence[Path],
    *,
    trusted: Sequence[bytes] = (),
    evidence: Path | None = None,
    site: Path | None = None,
) -> FilesVerification:
    """Verify files, and the images in folders, each with its sidecar.

    Args:
        paths: files and folders.
        trusted: raw public keys or fingerprints, 32 bytes each, from elsewhere.
        evidence: evidence folder under which they were stamped, as a witness of the patients of DICOM files.
        site: site log: what a key signed that it revokes as ``compromised`` or ``lost`` is ``wrong-key``; what one
            signed that was put away is as signed, with a note.

    Raises:
        GateError: if the evidence or the site log is not as it was signed.
        InputError: if there is no image, or a path does not exist, or nothing is known of any file.
    """
    from monai_ethics.provenance.images.listing import image_files

    witness = None if evidence is None else load_witness(evidence, trusted=trusted)
    trust = trust_through(trusted, evidence=evidence, site=site)
    files = tuple(
        verify_file(path, trusted=trust.keys, revoked=trust.revoked, witness=witness) for path in image_files(paths)
    )
    if all(file.status == "unreadable" and not file.fields for file in files):
        raise InputError(
            "Expected marked images, or an evidence folder: got files that are no images and have no sidecar. "
            "Check the paths."
        )
    return FilesVerification(files=files)


def verify_file(
    path: Path,
    *,
    trusted: Sequence[bytes] = (),
    revoked: Revocations | None = None,
    witness: Witness | None = None,
) -> FileVerification:
    """Compare one file, the marks in it and its sidecar with the statement that was signed of it.

    The statement is the sidecar's; where that is gone, the one that is embedded in the file.

    Args:
        path: the file.
        trusted: raw public keys or fingerprints, 32 bytes each, from elsewhere.
        revoked: what logs say of the end of keys.
        witness: what an evidence folder knows of it.

    Notes:
        File meta information, transfer syntax, compression, the type that values are stored as, padding, and tags that
        no field covers may change on the way: the file is then ``carried``. A mark that was made for other values makes
        the file ``derived``.
    """
    path, trust = Path(path), Trust(keys=tuple(trusted), revoked=revoked or {})
    fields: dict[str, str] = {}
    sidecar, statement = _signed(path, fields, trust)
    try:
        image = read_image(path)
    except InputError:
        return _unreadable(path, fields, trust, sidecar=sidecar, statement=statement)
    digests = digest_image(image, file_digest=file_sha256(path), slices=False)
    inner = _embedded(digests, fields, trust)
    if statement is not None and inner is not None and inner.record.get("id") != statement.record.get("id"):
        fields["embedded statement"] = "changed"
    said = statement or inner
    if said is None:
        return _without_statement(digests, fields, sidecar=sidecar)
    fields |= compare_file(digests, said)
    if sidecar is not None and statement is not None:
        fields |= compare_clear(sidecar, statement)
    notes = _notes(image, digests, said, fields, beside=statement is not None)
    if witness is not None:
        known, told = witness.judge(path, str(said.record.get("id")), media_type=image.media_type)
        fields |= known
        notes += told
    return _result(fields, said, [*notes, *trust.notes(said)])


def _signed(path: Path, fields: dict[str, str], trust: Trust) -> tuple[Mapping[str, Any] | None, Statement | None]:
    """The sidecar and its statement; what is wrong with either becomes a field."""
    try:
        sidecar = read_sidecar(path)
    except SchemaError:
        fields["sidecar"] = "changed"
        return None, None
    if sidecar is None:
        return None, None
    if sidecar.get("statement") is None:
        if sidecar.get("schema") == SIDECAR_SCHEMA and "unsigned" not in sidecar:
            fields["signature"] = "removed"
        return sidecar, None
    return sidecar, _read(sidecar["statement"], "signature", fields, trust)


def _embedded(digests: FileDigests, fields: dict[str, str], trust: Trust) -> Statement | None:
    text = digests.marks.statement
    return None if text is None else _read(text.encode(), "embedded signature", fields, trust)


def _read(envelope: Any, name: str, fields: dict[str, str], trust: Trust) -> Statement | None:
    try:
        statement = trust.judge(read_statement(envelope, trusted=trust.keys))
    except SchemaError:
        fields[name] = "changed"
        return None
    fields[name] = "kept" if statement.signature_holds else "changed"
    identity = statement.record.get("id")
    if set(statement.record) - {"id", "synthetic"} and identity != record_id(statement.record):
        fields["record"] = "changed"
    return statement


def _result(fields: Mapping[str, str], statement: Statement, notes: Sequence[str]) -> FileVerification:
    return FileVerification(
        status=_status(fields, statement.trusted),
        fields=dict(sorted(fields.items())),
        synthetic=str(statement.record.get("synthetic")),
        record=str(statement.record.get("id")),
        signer=statement.signer,
        signer_trusted=statement.trusted,
        notes=tuple(notes),
    )


def _status(fields: Mapping[str, str], trusted: bool | None) -> str:
    """The gravest status that applies."""
    faults = {name: state for name, state in fields.items() if state in CHANGED and name != "file"}
    moved = "values" in faults
    hard = [
        name
        for name, state in faults.items()
        if not (moved and name in _GEOMETRIC) and not (state == "removed" and name.startswith("mark."))
    ]
    grades = (
        ("altered", bool(hard)),
        ("wrong-key", trusted is False),
        ("derived", moved),
        ("stripped", bool(faults)),
        ("as-signed", fields.get("file") == "kept"),
    )
    return next((name for name, applies in grades if applies), "carried")


def _unreadable(
    path: Path,
    fields: dict[str, str],
    trust: Trust,
    *,
    sidecar: Mapping[str, Any] | None,
    statement: Statement | None,
) -> FileVerification:
    if statement is None:
        return FileVerification(status="altered" if fields else "unreadable", fields=fields)
    signed = statement.subjects.get("file", {}).get("sha256")
    fields["file"] = "kept" if signed == file_sha256(path) else "changed"
    fields |= compare_clear(sidecar or {}, statement)
    notes = ["Its format cannot be read here: only its bytes were compared.", *trust.notes(statement)]
    found = _result(fields, statement, notes)
    if fields["file"] == "kept" or found.status == "altered":
        return found
    return FileVerification(**{**vars(found), "status": "unreadable"})


def _without_statement(
    digests: FileDigests, fields: dict[str, str], *, sidecar: Mapping[str, Any] | None
) -> FileVerification:
    """A file of which nothing signed can be read."""
    notes = []
    if sidecar is not None:
        same = sidecar.get("sha256") == digests.file_sha256 or sidecar.get("voxel_v1") == (digests.voxel_v1 or "")
        notes.append("Its sidecar is of this image." if same else "Its sidecar is of another image.")
    if digests.marks.contradiction:
        notes.append(f"It {digests.marks.contradiction}.")
    if any(state in CHANGED for state in fields.values()):
        status = "altered"
    else:
        marked = digests.marks.synthetic is not None or bool(digests.marks.layers)
        status = "unsigned" if sidecar is not None or marked else "unmarked"
    return FileVerification(status=status, fields=fields, notes=tuple(notes))


def _notes(
    image: Image, digests: FileDigests, statement: Statement, fields: Mapping[str, str], *, beside: bool
) -> list[str]:
    notes = []
    if not beside:
        notes.append("It has no sidecar: it was compared with the statement that is embedded in it.")
    if fields.get("values") == "not comparable":
        notes.append("It is constant: whether its one value is the one that was signed cannot be told.")
    signed = statement.stated.get("slices")
    if fields.get("values") == "changed" and isinstance(signed, list):
        left = {text for text in signed if isinstance(text, str)} & set(
            slice_digests(image.array, affine=image.affine, axes=image.axes)
        )
        notes.append(f"{len(left)} of {len(signed)} signed slices are still in it.")
    if carries_synthetic(statement.record.get("synthetic")) and digests.marks.synthetic == "no":
        notes.append("It says that it is not synthetic; what was signed says that it is.")
    return notes
