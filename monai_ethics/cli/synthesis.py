# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics synthesis`: what are synthetic images worth, and do they repeat training patients?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.cli._progress import Steps
from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.lifecycle.policy import Policy
    from monai_ethics.provenance.log import EvidenceLog
    from monai_ethics.synthesis.data.image_set import ImageSet
    from monai_ethics.synthesis.data.joined import OnRecord
    from monai_ethics.synthesis.run import AuditPlan

__all__ = ["command"]

ROLES = ("train", "holdout", "synthetic")
WHERE = "Folder of images (NIfTI, DICOM, PNG, npy), or .npz with features, patient[, site, attributes]"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """How images are read and what is computed from them."""

    pattern: str
    attributes: Path | None
    extractor: str
    views: bool
    known: OnRecord
    plan: AuditPlan


def command(
    train: Annotated[Path, typer.Option(help=f"{WHERE}: what the generator was trained on.")],
    holdout: Annotated[Path, typer.Option(help=f"{WHERE}: real images of other patients.")],
    synthetic: Annotated[Path, typer.Option(help=f"{WHERE}: what the generator made.")],
    out: Annotated[Path, typer.Option(help="Evidence folder; made if missing, continued if not.")],
    split_random: Annotated[
        bool, typer.Option("--split-random", help="State that patients were assigned to training or holdout at random.")
    ] = False,
    conditioned_on_train: Annotated[
        bool,
        typer.Option("--conditioned-on-train", help="State that images were generated from training patients' inputs."),
    ] = False,
    encoder_trained_on_train: Annotated[
        bool, typer.Option("--encoder-trained-on-train", help="State that the features were fitted to training images.")
    ] = False,
    attributes: Annotated[
        Path | None, typer.Option(help="Table of attributes by participant_id or file, for folders of images.")
    ] = None,
    strata: Annotated[
        str | None, typer.Option(help="Attributes whose groups are compared, such as sex,site; all by default.")
    ] = None,
    min_group_size: Annotated[int, typer.Option(min=20, help="Held-out patients of a group that is compared.")] = 50,
    extractor: Annotated[
        str, typer.Option(help="pixels, random-conv, efficientnet-lite0, or a file of a network; pixels always too.")
    ] = "random-conv",
    views: Annotated[bool, typer.Option(help="Look at flipped and shifted images as well.")] = True,
    pattern: Annotated[str, typer.Option(help="Which files are images, such as '*_image.nii.gz'.")] = "*",
    policy: Annotated[Path | None, typer.Option(help="Judge the result by this policy.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="Where features and distances are computed, such as cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Are synthetic images faithful, varied, as good for every group, and no copies? An alarm, never an all-clear."""
    from monai_ethics.lifecycle.policy import Policy, read_policy
    from monai_ethics.synthesis.data.joined import OnRecord
    from monai_ethics.synthesis.run import AuditPlan

    judged_by = Policy(title="none") if policy is None else read_policy(policy)
    _require_device(device)
    names = None if strata is None else tuple(name.strip() for name in strata.split(",") if name.strip())
    asked = _Asked(
        pattern=pattern,
        attributes=attributes,
        extractor=extractor,
        views=views,
        known=OnRecord(
            split_random=split_random,
            conditioned_on_train=conditioned_on_train,
            encoder_trained_on_train=encoder_trained_on_train,
        ),
        plan=AuditPlan(attributes=names, min_group_size=min_group_size, seed=seed, device=device),
    )
    with Steps(quiet=as_json) as steps:
        images = _read(dict(zip(ROLES, (train, holdout, synthetic), strict=True)), asked, steps)
        found = _audited(images, asked, steps)  # before anything is written
    _keep(out, images, found, judged_by, seed=seed, as_json=as_json)


def _read(paths: dict[str, Path], asked: _Asked, steps: Steps) -> dict[str, ImageSet]:
    from monai_ethics.cli._digests import image_digests
    from monai_ethics.cli._extractors import Asked, extractors_for
    from monai_ethics.synthesis.data.folder import read_image_set

    folders = any(path.is_dir() for path in paths.values())
    if asked.attributes is not None and not folders:
        raise InputError("Expected attributes of .npz files as arrays in them: got a table. Leave `--attributes` out.")
    extractors = extractors_for(Asked(extractor=asked.extractor, device=asked.plan.device))
    images = {}
    for role, path in paths.items():
        text = f"features of {role} images"
        found = read_image_set(
            path,
            pattern=asked.pattern,
            attributes=asked.attributes if path.is_dir() else None,
            extractors=extractors if path.is_dir() else None,
            views=asked.views,
            progress=lambda done, total, text=text: steps.step(text, done, total),  # type: ignore[misc]
        )
        images[role] = replace(found, digests=image_digests(found))
    return images


def _audited(images: dict[str, ImageSet], asked: _Asked, steps: Steps) -> list[Finding]:
    from monai_ethics.cli._audited_images import planted_of, similarity_of
    from monai_ethics.cli._extractors import Asked, extractors_for
    from monai_ethics.synthesis.data.joined import joined
    from monai_ethics.synthesis.run import audit_findings

    seed = asked.plan.seed
    joined(images, known=asked.known)  # whether they fit, before anything that takes long
    similarity = similarity_of(images, seed=seed)
    sets = joined(images, known=asked.known, similarity=similarity)
    extractors = extractors_for(Asked(extractor=asked.extractor, device=asked.plan.device))
    planted = planted_of(sets, images, extractors, seed=seed) if asked.known.split_random else None
    return audit_findings(sets, plan=asked.plan, planted=planted, progress=steps.step)


def _keep(
    out: Path, images: dict[str, ImageSet], found: list[Finding], judged_by: Policy, *, seed: int, as_json: bool
) -> None:
    from monai_ethics.cli._audited_images import gallery_of
    from monai_ethics.lifecycle.policy import apply_policy
    from monai_ethics.provenance.log import EvidenceLog

    with EvidenceLog.open(out, run_id="synthesis") as log:

        def named(item: str) -> str:
            return log.pseudonym("file", item)

        findings = apply_policy([_pseudonymous(finding, named) for finding in found], judged_by)
        log.append("inputs", {role: _set_digest(part) for role, part in images.items()})
        log.put_private("items", _items(images, log), media_type="application/json")
        page = gallery_of(images, found, named, seed=seed)
        if page is not None:
            log.put_private("gallery", page, media_type="text/html")
        log.add_findings(findings)
        log.seal()
        _report(log, findings, gallery=page is not None, as_json=as_json)


def _pseudonymous(finding: Finding, named: Callable[[str], str]) -> Finding:
    """The finding with its pairs under the log's pseudonyms in place of file names."""
    listed = tuple(replace(pair, items=[named(item) for item in pair.items]) for pair in finding.observations)
    return replace(finding, observations=listed)


def _require_device(device: str) -> None:
    from monai_ethics.cli.features import require_device

    require_device(device)


def _set_digest(found: ImageSet) -> str:
    """Digest of the features and the patients, which says whether two audits read the same."""
    import hashlib

    import numpy as np

    content = hashlib.sha256()
    for space, rows in found.features.items():
        content.update(f"{space} {rows.dtype.str} {rows.shape}\n".encode())
        content.update(np.ascontiguousarray(rows).tobytes())
    content.update("\n".join(found.patients).encode("utf-8", "surrogatepass"))
    return content.hexdigest()


def _items(images: dict[str, ImageSet], log: EvidenceLog) -> bytes:
    """The list that leads from a pseudonym back to a file, for the private part of the evidence."""
    rows = [
        {
            "set": role,
            "item": log.pseudonym("file", f"{role}/{name}"),
            "name": name,
            "patient": patient,
            "voxel_v1": digest,
        }
        for role, found in images.items()
        for name, patient, digest in zip(
            found.names, found.patients, found.digests or (None,) * len(found.names), strict=True
        )
    ]
    return json.dumps(rows).encode()


def _report(log: EvidenceLog, findings: Sequence[Finding], *, gallery: bool, as_json: bool) -> None:
    from monai_ethics.provenance.read import read_report
    from monai_ethics.provenance.verify import verify_evidence
    from monai_ethics.reporting.render import write_report
    from monai_ethics.reporting.terminal import print_summary

    report = read_report(log.folder)
    log.add_report(write_report(report, log.folder, integrity=verify_evidence(log.folder).to_dict()))
    head = log.seal()
    if as_json:
        print(json.dumps({"head": head.fingerprint, "findings": [item.to_dict() for item in findings]}, indent=1))
        return
    print_summary(report)
    print(f"\nEvidence and report are in {log.folder}.\nSealed; keep this fingerprint elsewhere: {head.fingerprint}")
    if gallery:
        print("Samples and pairs side by side, for you alone: monai-ethics private EVIDENCE gallery --out gallery.html")
