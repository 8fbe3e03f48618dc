# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics synthesis`: are synthetic images closer to training patients than to patients held out?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.provenance.log import EvidenceLog
    from monai_ethics.synthesis.data.feature_sets import FeatureSets
    from monai_ethics.synthesis.data.folder import ImageSet

__all__ = ["command"]

ROLES = ("train", "holdout", "synthetic")
WHERE = "Folder of images (NIfTI, DICOM, PNG, npy), or .npz of features"


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
    pattern: Annotated[str, typer.Option(help="Which files are images, such as '*_image.nii.gz'.")] = "*",
    policy: Annotated[Path | None, typer.Option(help="Judge the result by this policy.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of the permutations.")] = 0,
    device: Annotated[str, typer.Option(help="Where distances are computed, such as cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Are synthetic images closer to training patients than to held-out ones? An alarm, never an all-clear."""
    from monai_ethics.cli._digests import image_digests
    from monai_ethics.lifecycle.policy import Policy, apply_policy, read_policy
    from monai_ethics.provenance.log import EvidenceLog
    from monai_ethics.synthesis.data.folder import read_image_set
    from monai_ethics.synthesis.memorization_membership import MemorizationMembership

    asked = Policy(title="none") if policy is None else read_policy(policy)
    _require_device(device)
    sets = {
        role: read_image_set(path, pattern=pattern)
        for role, path in zip(ROLES, (train, holdout, synthetic), strict=True)
    }
    digests = {role: image_digests(found) for role, found in sets.items()}
    facts = (split_random, conditioned_on_train, encoder_trained_on_train)
    check = MemorizationMembership(seed=seed, device=device)
    found = check(_feature_sets(sets, digests, facts))  # before anything is written
    with EvidenceLog.open(out, run_id="synthesis") as log:
        findings = apply_policy([_pseudonymous(found, log)], asked)
        log.append("inputs", {role: _set_digest(found) for role, found in sets.items()})
        log.put_private("items", _items(sets, digests, log), media_type="application/json")
        log.add_findings(findings)
        log.seal()
        _report(log, findings, as_json=as_json)


def _feature_sets(
    sets: dict[str, ImageSet], digests: dict[str, tuple[str | None, ...] | None], facts: tuple[bool, bool, bool]
) -> FeatureSets:
    from monai_ethics.errors import InputError
    from monai_ethics.synthesis.data.feature_sets import FeatureSets

    if len({found.spaces for found in sets.values()}) > 1:
        raise InputError("The three sets must be of one kind, all 2D, all 3D or all features: got different ones.")
    real = (sets["train"], sets["holdout"])
    with_sites = all(found.sites is not None for found in real)
    features = {role: found.features for role, found in sets.items()}
    return FeatureSets(
        train=features["train"],
        holdout=features["holdout"],
        synthetic=features["synthetic"],
        train_patients=real[0].patients,
        holdout_patients=real[1].patients,
        train_views=sets["train"].views,
        holdout_views=sets["holdout"].views,
        synthetic_views=sets["synthetic"].views,
        protocols=sets["train"].protocols,
        train_sites=real[0].sites if with_sites else None,
        holdout_sites=real[1].sites if with_sites else None,
        train_items=[f"train/{name}" for name in sets["train"].names],
        synthetic_items=[f"synthetic/{name}" for name in sets["synthetic"].names],
        train_digests=digests["train"],
        holdout_digests=digests["holdout"],
        synthetic_digests=digests["synthetic"],
        split_random=facts[0],
        conditioned_on_train=facts[1],
        encoder_trained_on_train=facts[2],
    )


def _pseudonymous(finding: Finding, log: EvidenceLog) -> Finding:
    """The finding with its pairs under the log's pseudonyms in place of file names."""
    listed = tuple(
        replace(pair, items=[log.pseudonym("file", item) for item in pair.items]) for pair in finding.observations
    )
    return replace(finding, observations=listed)


def _require_device(device: str) -> None:
    import torch

    from monai_ethics.errors import InputError

    try:
        torch.zeros(1, device=device).item()  # a device that only plans, such as meta, fails here
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError("`--device` must be a device of this machine: got another. Use cpu.") from error


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


def _items(sets: dict[str, ImageSet], digests: dict[str, tuple[str | None, ...] | None], log: EvidenceLog) -> bytes:
    """The list that leads from a pseudonym back to a file, for the private part of the evidence."""
    rows = [
        {
            "set": role,
            "item": log.pseudonym("file", f"{role}/{name}"),
            "name": name,
            "patient": patient,
            "voxel_v1": digest,
        }
        for role, found in sets.items()
        for name, patient, digest in zip(
            found.names, found.patients, digests[role] or (None,) * len(found.names), strict=True
        )
    ]
    return json.dumps(rows).encode()


def _report(log: EvidenceLog, findings: list[Finding], *, as_json: bool) -> None:
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
