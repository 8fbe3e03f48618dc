# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics utility`: what training on synthetic images does to performance on real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    scores: Annotated[
        Path, typer.Option(help="CSV with real_fraction, seed, case, score[, design, patient, region, roi_size, ...].")
    ],
    out: Annotated[Path, typer.Option(help="Evidence folder; made if missing, continued if not.")],
    metric: Annotated[str, typer.Option(help="Name of the score.")] = "score",
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="Of a distance or an error.")] = False,
    policy: Annotated[Path | None, typer.Option(help="Judge the result by this policy, such as its margin.")] = None,
    min_seeds: Annotated[int, typer.Option(min=2, max=1000, help="Fewest seeds for a statement on the recipe.")] = 5,
    min_group_size: Annotated[int, typer.Option(min=2, max=10**9, help="Smallest group judged, in patients.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Compare training on mixes of real and synthetic images with training on real ones, on real test cases."""
    from hashlib import sha256

    from monai_ethics.cli._score_files import require_room
    from monai_ethics.lifecycle.policy import Policy, apply_policy, read_policy
    from monai_ethics.provenance.log.reading.entries import read_report
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.reporting.sealed import seal_report
    from monai_ethics.reporting.terminal import print_summary
    from monai_ethics.synthesis.data.sweep_file import read_sweep
    from monai_ethics.synthesis.limits import with_intrinsic_limits
    from monai_ethics.synthesis.utility import SynthesisUtility

    asked = Policy(title="none") if policy is None else read_policy(policy)
    table = read_sweep(scores, metric=metric, higher_is_better=not lower_is_better)
    check = SynthesisUtility(min_seeds=min_seeds, min_group_size=min_group_size)
    findings = apply_policy([with_intrinsic_limits(check(table))], asked)
    data = scores.read_bytes()
    require_room(findings)
    with EvidenceLog.open(out, run_id="utility") as log:
        log.append("inputs", {"sweep": sha256(data).hexdigest()})
        log.put_private("sweep", data, media_type="application/octet-stream")
        log.add_findings(findings)
        report = read_report(out)
        head = seal_report(log, report)
    if as_json:
        print(json.dumps({"head": head.fingerprint, "findings": [item.to_dict() for item in findings]}, indent=1))
        return
    print_summary(report)
    print(f"\nEvidence and report are in `--out`.\nSealed; keep this fingerprint elsewhere: {head.fingerprint}")
