# SPDX-License-Identifier: Apache-2.0
"""Marking DICOM datasets and files: what is synthetic says so, in every place where somebody may look for it."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset

from monai_ethics._quiet import quiet_dicom
from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.images.dicom import attributes_of, image_of
from monai_ethics.provenance.images.dicom_marks import SYNTHESIZING, marks_of
from monai_ethics.provenance.images.digest import FileDigests, attrs_v1, digest_image
from monai_ethics.provenance.keys.key import Signer
from monai_ethics.provenance.log.files.storage import write_atomically
from monai_ethics.provenance.marks.dicom_carry import copy_marks, derive_type
from monai_ethics.provenance.marks.dicom_identity import (
    GENERATED_METHOD,
    REPLACED_METHOD,
    IdentityCase,
    SourceImage,
    Subject,
    replace_identity,
    source_items,
)
from monai_ethics.provenance.marks.dicom_parts import (
    LABEL,
    DistributionConsent,
    add_consent,
    add_equipment,
    add_overlay,
    add_private,
    code,
    described,
    titled,
    word_of,
)
from monai_ethics.provenance.marks.statement import subjects_of
from monai_ethics.provenance.marks.taint import carries_synthetic, combined, state_of
from monai_ethics.provenance.signed.envelope import signed_statement

__all__ = [
    "DicomOptions",
    "DistributionConsent",
    "IdentityCase",
    "SourceImage",
    "Subject",
    "apply_provenance",
    "copy_marks",
    "mark_dataset",
    "mark_dicom",
    "write_dataset",
]

PATIENT = ("PatientID", "IssuerOfPatientID")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True, kw_only=True)
class DicomOptions:
    """What besides the record decides how a dataset is marked.

    Args:
        subject: of a generated subject, or of a patient-derived image outside clinical use; one is made if left out.
            Give the same one for all files of a series.
        sources: images that a patient-derived image was made from.
        clinical_use: whether a patient-derived image stays with the patient, in the patient's own care.
        inputs: what the images that this object was made from say, as ``Marks.synthetic``; ``None`` for silent ones.
        consents: items of Consent for Clinical Trial Use.
        overlay: whether the word SYNTHETIC is drawn as an overlay plane.
        burned_in: whether text in the pixels tells who somebody is; ``None`` leaves what the dataset says.
        recognizable: whether features such as a face can be recognized; ``None`` leaves what the dataset says, and
            says yes where an identity is replaced and nothing was said.
        generator: name of the model or bundle; that of the record if left out.
        description: of the series, after the word SYNTHETIC; ``None`` leaves what the dataset says.
        at: time of marking; now if left out.
    """

    subject: Subject | None = None
    sources: Sequence[SourceImage] = ()
    clinical_use: bool = False
    inputs: Sequence[str | None] = ()
    consents: Sequence[DistributionConsent] = ()
    overlay: bool = False
    burned_in: bool | None = None
    recognizable: bool | None = None
    generator: str = ""
    description: str | None = None
    at: datetime | None = None


_DEFAULTS = DicomOptions()


@quiet_dicom()
def mark_dataset(
    dataset: Dataset,
    record: Mapping[str, Any],
    *,
    identity: IdentityCase | None = None,
    voxel_v1: str | None = None,
    statement: Mapping[str, Any] | str | None = None,
    options: DicomOptions = _DEFAULTS,
) -> str:
    """Write a record's marks into a dataset, in place. Pixel data is not touched.

    Args:
        dataset: any object: an image, a segmentation or a structured report, of pydicom or of highdicom.
        record: the provenance record with its `id` and `synthetic`.
        identity: one of the three cases; ``None`` leaves the identity as it stands and says nothing of it.
        voxel_v1: digest of the image, for the private mark.
        statement: the signed statement (a DSSE envelope), for the private block.
        options: what else decides.

    Returns:
        What the dataset says now: ``"yes"``, ``"partial"``, ``"no"`` or ``"unknown"``. Absent never becomes NO: the
        last two leave the flag as it was.

    Raises:
        InputError: if record, identity and options do not go together; nothing was changed then.
        GateError: if the dataset says that it is not synthetic and the record, an input or an option says that it is.

    References:
        DICOM PS3.3 C.12.1 (SOP Common: Synthetic Data, Contributing Equipment), C.7.6.1 (General Image), C.7.1.3.2
        (Clinical Trial Study); PS3.16 CID 7005.
    """
    word_of(record)  # refused before anything is changed
    state = _state(dataset, record, options)
    _check(dataset, identity, state=state, options=options)
    at = (options.at or datetime.now(UTC)).astimezone(UTC)
    _identify(dataset, identity, options=options, at=at)
    _describe(dataset, record, state, identity=identity, options=options, at=at)
    if options.consents:
        add_consent(dataset, options.consents)
    if options.overlay:
        add_overlay(dataset)
    add_private(dataset, record, synthetic=state, voxel_v1=voxel_v1, statement=statement)
    return state


@quiet_dicom()
def mark_dicom(
    path: Path,
    record: Mapping[str, Any],
    *,
    identity: IdentityCase | None = None,
    voxel_v1: str | None = None,
    key: Signer | None = None,
    options: DicomOptions = _DEFAULTS,
) -> str:
    """Mark a file: `mark_dataset`, and the file is replaced atomically, in its own transfer syntax.

    The bytes of the pixel data, compressed or not, are written as they were read.

    Args:
        path: the file.
        record: the provenance record with its `id` and `synthetic`.
        identity: as for `mark_dataset`.
        voxel_v1: digest of the image.
        key: signs a statement about the marked image, for the private block.
        options: as for `mark_dataset`.

    Returns:
        What the file says now.

    Raises:
        InputError, GateError: as `mark_dataset` does, or if the file is not DICOM; it is unchanged then.
    """
    path = Path(path)
    try:
        dataset = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError as error:
        raise InputError("Expected a DICOM file: got another format. Convert it, or use a sidecar.") from error
    state = mark_dataset(dataset, record, identity=identity, voxel_v1=voxel_v1, options=options)
    data = _written(dataset)
    if key is not None:
        subjects = _subjects(pydicom.dcmread(io.BytesIO(data)), voxel_v1)
        statement = signed_statement(record, subjects=subjects, key=key)
        add_private(dataset, record, synthetic=state, voxel_v1=voxel_v1, statement=statement)
        data = _written(dataset)
    write_atomically(path, data, mode=path.stat().st_mode & 0o777)
    return state


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file, atomically."""
    write_atomically(path, _written(dataset))


def _written(dataset: Dataset) -> bytes:
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def _subjects(dataset: Dataset, voxel_v1: str | None) -> dict[str, dict[str, str]]:
    """Digests that a statement within the file can have: of values, geometry and attributes, not of its bytes."""
    try:
        digests = digest_image(image_of(dataset), file_digest="", slices=False)
    except Exception:  # no pixels, or compressed by what no decoder here reads: the attributes remain
        attributes = {name: value for name, value in attributes_of(dataset).items() if name not in PATIENT}
        digests = FileDigests(
            file_sha256="",
            voxel_v1=voxel_v1,
            geometry_v1="",
            attrs_v1=attrs_v1(attributes),
            media_type="application/dicom",
        )
    return {name: found for name, found in subjects_of(digests, file=False).items() if found}


def apply_provenance(
    dataset: Dataset,
    record: Mapping[str, Any],
    *,
    identity: IdentityCase = IdentityCase.ANALYSIS,
    options: DicomOptions = _DEFAULTS,
) -> Dataset:
    """A marked copy of a dataset, as an operator of a deployed application hands it on; the argument stays as it is."""
    marked = copy.deepcopy(dataset)
    mark_dataset(marked, record, identity=identity, options=options)
    return marked


def _state(dataset: Dataset, record: Mapping[str, Any], options: DicomOptions) -> str:
    """What the dataset has to say: never less than the record, the inputs or the dataset itself says."""
    stated, marks = state_of(record.get("synthetic")), marks_of(dataset)
    inputs = combined(options.inputs) if options.inputs else "unknown"
    if marks.synthetic == "no" and (carries_synthetic(stated) or carries_synthetic(inputs)):
        raise GateError(
            "Expected a dataset that does not deny to be synthetic: got SyntheticData NO. Find out which is right."
        )
    found = [state for state in (stated, inputs, marks.synthetic or "unknown") if carries_synthetic(state)]
    if stated == "no" and found:
        raise GateError(
            "Expected a record that says what dataset and inputs say: got 'no' where one of them is synthetic. "
            "Find out which is right."
        )
    if not found:
        return stated
    return stated if carries_synthetic(stated) else found[0]


def _check(dataset: Dataset, identity: IdentityCase | None, *, state: str, options: DicomOptions) -> None:
    if identity in (IdentityCase.GENERATED_SUBJECT, IdentityCase.PATIENT_DERIVED) and not carries_synthetic(state):
        raise InputError(
            f"The identity case '{identity}' is of synthetic images: got a record that is not of one. "
            f"Use '{IdentityCase.ANALYSIS}'."
        )
    if identity is IdentityCase.GENERATED_SUBJECT and options.sources:
        raise InputError(
            f"A generated subject has no source images: got {len(options.sources)}. "
            f"Use '{IdentityCase.PATIENT_DERIVED}', or leave them out."
        )
    if identity is not IdentityCase.PATIENT_DERIVED:
        return
    if not options.sources:
        raise InputError("A patient-derived image must have source images: got none. Give `sources`.")
    own = str(dataset.get("SOPInstanceUID"))
    if options.clinical_use and own in [source.sop_instance for source in options.sources]:
        raise InputError("A patient-derived image must have a SOP Instance UID of its own: got that of its source.")


def _identify(dataset: Dataset, identity: IdentityCase | None, *, options: DicomOptions, at: datetime) -> None:
    derived = identity is IdentityCase.PATIENT_DERIVED
    if identity is IdentityCase.GENERATED_SUBJECT or (derived and not options.clinical_use):
        method = REPLACED_METHOD if derived else GENERATED_METHOD
        replace_identity(dataset, options.subject or Subject(), at=at, method=method)
        if options.recognizable is None and not dataset.get("RecognizableVisualFeatures"):
            dataset.RecognizableVisualFeatures = "YES"
    if derived:
        purpose = code("121322", "Source image for image processing operation")
        dataset.SourceImageSequence = source_items(options.sources, purpose)
    for name, value in (
        ("BurnedInAnnotation", options.burned_in),
        ("RecognizableVisualFeatures", options.recognizable),
    ):
        if value is not None:
            setattr(dataset, name, "YES" if value else "NO")


def _describe(
    dataset: Dataset,
    record: Mapping[str, Any],
    state: str,
    *,
    identity: IdentityCase | None,
    options: DicomOptions,
    at: datetime,
) -> None:
    """Flag, image type, equipment and the texts that people read."""
    synthetic = carries_synthetic(state)
    model = options.generator or _named(record)
    text = _sentence(state, identity or _seen(dataset), model)
    made_here = synthetic and identity is not IdentityCase.ANALYSIS
    purpose = code(SYNTHESIZING, "Synthesizing Equipment") if made_here else code("109102", "Processing Equipment")
    add_equipment(dataset, record, model=model, purpose=purpose, description=text, at=at)
    if options.description is not None:
        dataset.SeriesDescription = options.description[:64]
    if synthetic:
        dataset.SyntheticData = "YES"
        prefix = LABEL if state == "yes" else f"{LABEL} (partly)"
        dataset.SeriesDescription = titled(dataset.get("SeriesDescription"), prefix)
    if "ImageType" in dataset or "PixelData" in dataset:
        derive_type(dataset)
        dataset.DerivationDescription = described(dataset.get("DerivationDescription"), text, word_of(record))
    captured = str(dataset.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURE)
    if captured and made_here and (state == "yes" or not dataset.get("ConversionType")):
        dataset.ConversionType = "SYN"


def _named(record: Mapping[str, Any]) -> str:
    """Name of the model in a record: of the model, or of the bundle that ran."""
    for part, name in (("model", "name"), ("model", "network"), ("activity", "bundle")):
        held = record.get(part)
        value = held.get(name) if isinstance(held, Mapping) else None
        if isinstance(value, str) and value:
            return value
    return "not named"


def _seen(dataset: Dataset) -> IdentityCase | None:
    """The identity case that a dataset was marked with before."""
    if GENERATED_METHOD in str(dataset.get("DeidentificationMethod") or ""):
        return IdentityCase.GENERATED_SUBJECT
    purposes = [item.get("PurposeOfReferenceCodeSequence") for item in dataset.get("SourceImageSequence") or ()]
    marked = marks_of(dataset).record is not None
    return IdentityCase.PATIENT_DERIVED if marked and any(purposes) else None


def _sentence(state: str, identity: IdentityCase | None, model: str) -> str:
    start = {"yes": "Synthetic", "partial": "Partly synthetic"}.get(state, "Derived")
    if identity is IdentityCase.ANALYSIS:
        return f"{start}: made from its inputs by {model}" if start == "Derived" else f"{start}, as its inputs: {model}"
    told = {
        IdentityCase.GENERATED_SUBJECT: "generated; it shows no patient",
        IdentityCase.PATIENT_DERIVED: "made from an image of a patient",
    }.get(identity or IdentityCase.ANALYSIS, "not to be used as an acquired image")
    return f"{start} content, {told}; model {model}".replace(";", ",")
