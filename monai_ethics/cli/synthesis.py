# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics synthesis`: what are synthetic images worth, and do they repeat training patients?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.cli._progress import Steps
from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.cli._text_looked_for import TextAsked, TextFound
    from monai_ethics.evidence import Finding
    from monai_ethics.lifecycle.policy import Policy
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.synthesis.data.image_set import ImageSet
    from monai_ethics.synthesis.data.joined import OnRecord
    from monai_ethics.synthesis.data.requests import Requests
    from monai_ethics.synthesis.run import AuditPlan

__all__ = ["command"]

ROLES = ("train", "holdout", "synthetic")
GALLERY = "Samples and pairs side by side, for you alone: monai-ethics private EVIDENCE gallery --out gallery.html"
READINGS = "What was read in images, for you alone: monai-ethics private EVIDENCE text --out readings.json"
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
    text: TextAsked | None
    requests: Sequence[Requests]


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What an audit found, and what of it is private."""

    findings: list[Finding]
    text: TextFound | None
    requests: bytes | None


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
    text: Annotated[
        bool | None, typer.Option("--text/--no-text", help="Look for burned-in text; done in folders by default.")
    ] = None,
    text_images: Annotated[
        int, typer.Option(min=2, help="Pictures of a set in which text is looked for; a volume counts as eight.")
    ] = 200,
    requests: Annotated[
        Path | None, typer.Option(help="CSV with requested, seen[, unit, set, condition, judge] and groups.")
    ] = None,
    condition: Annotated[str | None, typer.Option(help="What was requested, such as lesion, with --requests.")] = None,
    judge: Annotated[str | None, typer.Option(help="Who saw it: name and version, with --requests.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Judge the result by this policy.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="Where features and distances are computed, such as cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Are synthetic images faithful, varied, as good for every group, and no copies? An alarm, never an all-clear."""
    from monai_ethics.cli._text_looked_for import text_asked
    from monai_ethics.lifecycle.policy import Policy, read_policy
    from monai_ethics.synthesis.data.joined import OnRecord
    from monai_ethics.synthesis.run import AuditPlan

    judged_by = Policy(title="none") if policy is None else read_policy(policy)
    _require_device(device)
    _require_folder(out)
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
        text=text_asked((train, holdout, synthetic), wanted=text, most=text_images),
        requests=_requested(requests, condition, judge),
    )
    with Steps(quiet=as_json) as steps:
        images = _read(dict(zip(ROLES, (train, holdout, synthetic), strict=True)), asked, steps)
        _refuse_unknown(names, images)
        found = _Found(  # before anything is written
            findings=_audited(images, asked, steps),
            text=_text(images, asked, steps),
            requests=None if requests is None else requests.read_bytes(),
        )
    _keep(out, images, found, judged_by, seed=seed, as_json=as_json)


def _requested(table: Path | None, condition: str | None, judge: str | None) -> Sequence[Requests]:
    if table is None:
        if condition is not None or judge is not None:
            raise InputError("`--condition` and `--judge` speak of a table: got none. Give `--requests`, or drop them.")
        return ()
    from monai_ethics.synthesis.data.requests_file import read_requests

    return read_requests(table, condition=condition, judge=judge)


def _refuse_unknown(names: Sequence[str] | None, images: dict[str, ImageSet]) -> None:
    """Refuse an attribute that no image has: what was typed would stand in the evidence, and say nothing."""
    known = {name for role in ("holdout", "synthetic") for name in images[role].attributes}
    if any(name not in known for name in names or ()):
        listed = ", ".join(sorted(known)) or "none"
        raise InputError(f"`--strata` must name attributes of the images: got another. Known: {listed}.")


def _text(images: dict[str, ImageSet], asked: _Asked, steps: Steps) -> TextFound | None:
    if asked.text is None:
        return None
    from monai_ethics.cli._text_looked_for import text_found

    return text_found(images, asked.text, seed=asked.plan.seed, progress=steps.step)


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
    from monai_ethics.synthesis.run import audit_findings, request_findings

    seed = asked.plan.seed
    joined(images, known=asked.known)  # whether they fit, before anything that takes long
    for role, part in images.items():
        steps.say(f"{role}: {len(part)} images of {len(set(part.patients))} patients or units")
    similarity = similarity_of(images, seed=seed)
    sets = joined(images, known=asked.known, similarity=similarity)
    extractors = extractors_for(Asked(extractor=asked.extractor, device=asked.plan.device))
    planted = planted_of(sets, images, extractors, seed=seed) if asked.known.split_random else None
    found = audit_findings(sets, plan=asked.plan, planted=planted, progress=steps.step)
    return found + request_findings(asked.requests, plan=asked.plan, progress=steps.step)


def _keep(
    out: Path, images: dict[str, ImageSet], found: _Found, judged_by: Policy, *, seed: int, as_json: bool
) -> None:
    from hashlib import sha256

    from monai_ethics.cli._audited_images import gallery_of
    from monai_ethics.cli._score_files import require_room
    from monai_ethics.lifecycle.policy import apply_policy
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

    all_found = [*found.findings, *([found.text.finding] if found.text is not None else [])]
    require_room(all_found)
    with EvidenceLog.open(out, run_id="synthesis") as log:

        def named(item: str) -> str:
            return log.pseudonym("file", item)

        findings = apply_policy([_pseudonymous(finding, named) for finding in all_found], judged_by)
        inputs = {role: _set_digest(part) for role, part in images.items()}
        if found.requests is not None:
            inputs["requests"] = sha256(found.requests).hexdigest()
            log.put_private("requests", found.requests, media_type="text/csv")
        log.append("inputs", inputs)
        log.put_private("items", _items(images, log), media_type="application/json")
        if found.text is not None:
            log.put_private("text", found.text.payload(named), media_type="application/json")
        page = gallery_of(images, found.findings, named, seed=seed)
        if page is not None:
            log.put_private("gallery", page, media_type="text/html")
        log.add_findings(findings)
        log.seal()
        hints = [GALLERY] if page is not None else []
        hints += [READINGS] if found.text is not None and found.text.details else []
        _report(log, findings, hints, as_json=as_json)


def _pseudonymous(finding: Finding, named: Callable[[str], str]) -> Finding:
    """The finding with its pairs under the log's pseudonyms in place of file names."""
    listed = tuple(replace(pair, items=[named(item) for item in pair.items]) for pair in finding.observations)
    return replace(finding, observations=listed)


def _require_device(device: str) -> None:
    from monai_ethics.cli.features import require_device

    require_device(device)


def _require_folder(out: Path) -> None:
    """Refuse a folder that cannot be written before an audit of hours, not after it."""
    nearest = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError("Expected `--out` to be a folder that can be written: got another place. Choose another.")


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


def _report(log: EvidenceLog, findings: Sequence[Finding], hints: Sequence[str], *, as_json: bool) -> None:
    from monai_ethics.provenance.log.reading.entries import read_report
    from monai_ethics.reporting.sealed import seal_report
    from monai_ethics.reporting.terminal import print_summary

    report = read_report(log.folder)
    head = seal_report(log, report)
    if as_json:
        print(json.dumps({"head": head.fingerprint, "findings": [item.to_dict() for item in findings]}, indent=1))
        return
    print_summary(report)
    print(f"\nEvidence and report are in `--out`.\nSealed; keep this fingerprint elsewhere: {head.fingerprint}")
    for hint in hints:
        print(hint)
