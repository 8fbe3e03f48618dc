# SPDX-License-Identifier: Apache-2.0
"""The demo from the first image to the sealed report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monai_ethics._resources import bundle_path
from monai_ethics.cohort import write_cohort
from monai_ethics.demo.audit import audit_generator
from monai_ethics.demo.control import deal_attributes
from monai_ethics.demo.evaluate import evaluate_bundle
from monai_ethics.demo.generator_record import record_training
from monai_ethics.demo.plan import DemoPlan
from monai_ethics.demo.training_list import offer_unmarked_copies
from monai_ethics.errors import InputError
from monai_ethics.evidence import EvidenceReport
from monai_ethics.lifecycle.policy import Policy, gate, read_policy
from monai_ethics.provenance.log.reading.entries import read_report
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting.sealed import seal_report

__all__ = ["DemoResult", "Step", "run_demo"]

Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo left.

    Args:
        report: the evidence as rendered.
        head: fingerprint of the signed head.
        refused: whether the policy of the demo refuses this evidence, as it should.
    """

    report: EvidenceReport
    head: str
    refused: bool


def run_demo(out: Path, *, plan: DemoPlan, step: Step) -> DemoResult:
    """Simulate, evaluate, audit, guard, judge and report.

    Args:
        out: folder for data, outputs and evidence; must not hold a demo yet.
        plan: sizes, seeds and planted faults.
        step: called with what is being done, how much of it is done, and how much there is.

    Raises:
        InputError: if the folder already holds something.
    """
    evidence = out / "evidence"
    if out.exists() and any(out.iterdir()):
        raise InputError("Expected an empty or new folder for the demo: got one that holds files. Name another one.")
    for name, planted in (("1-gap-planted", True), ("2-no-gap", False)):
        title = "cohort with a planted gap" if planted else "cohort without a gap"
        data = _new(out / "data" / name)
        write_cohort(plan.test_cohort(planted=planted), data, progress=_of(step, f"simulate the {title}"))
        if not planted:
            deal_attributes(data / "participants.tsv", seed=plan.seed)
        step(f"run the unedited bundle on the {title}", 0, 1)
        evaluate_bundle(
            bundle_path("lesion_segmentation"),
            data,
            evidence=evidence,
            policy=plan.policy(),
            name=name,
            output=out / "bundle-output" / name,
        )
        step(f"run the unedited bundle on the {title}", 1, 1)
    policy = read_policy(plan.policy())
    _audit(out, plan=plan, policy=policy, step=step)
    return _conclude(evidence, policy=policy, step=step)


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _of(step: Step, text: str) -> Callable[[int, int], None]:
    return lambda done, total: step(text, done, total)


def _audit(out: Path, *, plan: DemoPlan, policy: Policy, step: Step) -> None:
    """Audit both generators, then offer copies that lost their marks to a training list."""
    text = "audit a generator that copies, and one that does not"
    reference = list(plan.reference())
    members = {"training": range(plan.n_train), "holdout": range(plan.n_train, len(reference))}
    write_cohort(reference, _new(out / "data" / "reference"), splits=members)
    step(text, 1, 3)
    for name, faulty in (("3-generator-copies", True), ("4-generator-does-not-copy", False)):
        synthetic = list(plan.generator(faulty=faulty))
        write_cohort(synthetic, _new(out / "data" / name))
        with EvidenceLog.open(out / "evidence", run_id=name) as log:
            audit_generator(reference, synthetic, plan, policy=policy, log=log)
        step(text, 3 - faulty, 3)
    text = "offer unmarked synthetic files to a training list"
    step(text, 0, 1)
    with EvidenceLog.open(out / "evidence", run_id="5-training-list") as log:
        images = sorted((out / "data" / name).glob("*_image.nii.gz"))
        learned = reference[: plan.n_train]
        training = record_training([one.subject_id for one in learned], out / "data" / "reference", log=log)
        offered = _new(out / "data" / "training-list")
        offer_unmarked_copies(images, learned, offered, log=log, training=training)
    step(text, 1, 1)


def _conclude(evidence: Path, *, policy: Policy, step: Step) -> DemoResult:
    """Render what stands in the log and sign it."""
    text = "write and sign the report"
    step(text, 0, 1)
    with EvidenceLog.open(evidence, run_id="6-report") as log:
        report = read_report(evidence)
        head = seal_report(log, report)
    step(text, 1, 1)
    return DemoResult(report=report, head=head.fingerprint, refused=not gate(report.findings, policy).passed)
