# SPDX-License-Identifier: Apache-2.0
"""What each command is called with on a folder of planted files; a new command joins by a line in `QUICK` or `SLOW`."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from monai_ethics.provenance.log.reading.entries import read_report

sys.path.insert(0, str(Path(__file__).parent))
from canary import FILE, FIRST, ID, ISO, NAME, SECRET, WARD

sys.path.pop(0)

PATIENT = ["--patient", ID, "--issuer", WARD]


@dataclass(frozen=True)
class Place:
    """Where everything is: planted files, and folders to write to, which are named by tokens as well."""

    data: Path
    out: Path

    def file(self, name):
        return str(self.data / name)

    def of(self, end):
        return self.file(f"{FILE}_{end}")

    def new(self, name):
        return str(self.out / f"{NAME}_{name}")

    @property
    def good(self):
        return [self.file(name) for name in (f"{FILE}.dcm", f"{ID}.ima", f"sub-{ID}.nii.gz")]

    @property
    def stamped(self):
        return self.new("stamped")

    @property
    def scored(self):
        return self.new("scored")

    @property
    def site(self):
        return self.new("site")


def stamp(at):
    for end in (".nii.gz", ".dcm", ".png"):
        yield ["stamp", at.file(f"bad_{NAME}{end}"), "--synthetic", "--out", at.stamped]
    yield ["stamp", at.good[0], "--synthetic", "--out", at.stamped, "--record", at.file("model.json")]
    yield ["stamp", at.good[0], "--synthetic", "--out", at.stamped, "--record", at.file(f"{NAME}.json")]
    yield ["stamp", at.good[0], at.good[2], at.file(f"{NAME}.png"), "--synthetic", "--out", at.stamped]
    yield ["stamp", at.good[1], "--real", "--out", at.stamped, "--json"]
    yield ["stamp", at.good[1], "--synthetic", "--out", at.stamped]
    yield ["stamp", at.file(NAME), "--synthetic", "--out", at.stamped, "--site", at.new("nowhere")]


def guard(at):
    for end in ((), ("--json",)):
        yield ["guard", *at.good, "--policy", "deny-list", "--evidence", at.stamped, *end]
    yield ["guard", at.good[1], "--policy", "deny-list", "--evidence", at.stamped]
    yield ["guard", str(at.data), "--policy", "deny-list", "--evidence", at.stamped]
    yield ["guard", at.good[0], "--policy", NAME, "--evidence", at.stamped]
    yield ["guard", at.good[0], "--policy", "allow-list", "--evidence", at.file(NAME)]


def verify(at):
    for end in ((), ("--json",)):
        yield ["verify", *at.good, "--evidence", at.stamped, *end]
        yield ["verify", at.stamped, *end]
        yield ["verify", at.stamped, "--site", at.site, *end]
    yield ["verify", at.file(NAME)]
    yield ["verify", at.stamped, "--trust", at.file(f"{NAME}.pem")]
    yield ["verify", at.stamped, "--expect-head", f"{NAME}{ID}"]


def lineage(at):
    for end in ((), ("--json",)):
        yield ["lineage", at.stamped, *PATIENT, *end]
        yield ["lineage", at.stamped, "--of", at.good[0], *end]
        yield ["lineage", at.stamped, *end]
    yield ["lineage", at.stamped, "--of", NAME]
    yield ["lineage", at.stamped, "--store", f"postgresql+psycopg://{FIRST}:{SECRET}@127.0.0.1:1/{FIRST}"]
    yield ["lineage", at.stamped, "--store", f"mysql://{FIRST}:{SECRET}@127.0.0.1/x"]
    yield ["lineage", at.stamped, "--store", at.good[0]]


def consent(at):
    record = ["consent", "record", "--site", at.site]
    yield [*record, *PATIENT, "--purposes", "training", "--document", at.file("consent.json")]
    yield [*record, *PATIENT, "--purposes", NAME]
    yield [*record, *PATIENT, "--purposes", "training", "--from", f"{ISO} {NAME}"]
    yield from ([*record, "--table", at.file(name)] for name in ("consents.csv", "wrong.csv", f"{NAME}.csv"))
    yield from ([*record, "--fhir", at.file(name)] for name in ("consent.json", "wrong.json", f"{NAME}.png"))
    yield [*record, "--dicom", at.good[0]]
    yield [*record, "--dicom", at.file(f"bad_{NAME}.dcm")]
    yield [*record, "--patient", ID, NAME]
    yield ["consent", "status", "--site", at.site, *PATIENT]
    yield ["consent", "status", "--site", at.site, "--json"]
    receipt = ["--receipt", at.new("receipt.json")]
    yield ["consent", "withdraw", "--site", at.site, *PATIENT, "--evidence", at.stamped, *receipt]
    yield ["consent", "withdraw", "--site", at.site, *PATIENT, "--receipt", at.file(f"{NAME}/receipt.json")]
    yield ["consent", "receipt", at.new("receipt.json"), "--json"]
    yield ["consent", "receipt", at.file("consent.json")]
    yield ["consent", "proof", at.stamped, *PATIENT, "--out", at.new("proof.json")]
    dispose = ["consent", "dispose", "--site", at.site, "--withdrawal", "0" * 64, "--as", "retain-with-reason"]
    yield [*dispose, "--record", NAME, "--reason", f"{FIRST} {NAME} asked"]
    yield ["consent", "erase", "--site", at.site, *PATIENT]
    yield ["consent", "erase", "--site", at.site, *PATIENT]


def sign_model(at):
    yield ["sign-model", at.file(f"{NAME}_model"), "--out", at.new("x.sig")]
    yield ["sign-model", str(at.data), "--out", at.file(f"{NAME}/x.sig")]
    yield ["sign-model", at.file(NAME), "--out", at.new("y.sig")]
    yield ["sign-model", at.file(f"{NAME}_model"), "--check", at.new("x.sig"), "--key", at.file(f"{NAME}.pem")]


def watermark(at):
    mark = ["--out", at.new("marked"), "--evidence", at.stamped]
    yield ["watermark", "embed", at.good[2], *mark]
    yield ["watermark", "embed", at.file(f"bad_{NAME}.nii.gz"), *mark]
    yield ["watermark", "detect", at.good[2]]
    yield ["watermark", "detect", at.good[2], "--key", at.file(f"{NAME}.key")]


def fairness(at):
    scores = ["fairness", "--scores", at.of("dice.csv"), "--out", at.scored]
    yield [*scores, "--attributes", at.of("sex.csv"), "--min-group-size", "2"]
    yield [*scores, "--attributes", at.of("odd.csv")]
    yield [*scores, "--attributes", at.file(NAME)]
    yield ["fairness", "--scores", at.of("wrong.csv"), "--out", at.scored]
    yield [*scores, "--attributes", at.of("sex.csv"), "--strata", "surname"]
    yield [*scores, "--attributes", at.of("sex.csv"), "--map", f"sex={NAME}:{FIRST}"]
    yield [*scores, "--attributes", at.of("sex.csv"), "--measures", NAME]
    yield ["fairness", at.scored, "--attributes", at.of("sex.csv"), "--json"]


def private(at):
    yield ["private", at.scored]
    yield ["private", at.scored, "--json"]
    yield ["private", at.scored, "scores", "--out", str(at.out / "private" / "scores.json")]
    yield ["private", at.scored, NAME]
    yield ["private", at.file(NAME)]


def gate(at):
    yield ["gate", at.scored, "--policy", at.of("limits.yaml"), "--junit", at.new("junit.xml")]
    yield ["gate", at.scored, "--policy", at.of("limits.yaml"), "--json"]
    yield ["gate", at.scored, "--policy", at.of("policy.yaml")]
    yield ["gate", at.scored, "--policy", at.file(f"{NAME}.yaml")]


def mitigation(at):
    words = ["mitigation", "--before", at.scored, "--attributes", at.of("sex.csv"), "--out", at.new("change")]
    yield [*words, "--after", at.scored, "--action", f"{FIRST} {NAME} left out", "--strata", "sex"]
    yield [*words, "--before-run", NAME]
    yield ["mitigation", "--before", at.scored, "--attributes", at.of("odd.csv"), "--out", at.new("change")]


def claims(at):
    yield ["claims", at.scored, at.of("claims.yaml"), "--out", at.new("claimed")]
    yield ["claims", at.scored, at.of("claims_wrong.yaml")]
    yield ["claims", at.scored, at.file(f"{NAME}.yaml")]
    carried = at.of("claims_carried.yaml")
    result = "fairness.group_scores#dice/median@sex=F"
    (value,) = (
        estimate.value
        for finding in read_report(Path(at.scored), run_id="fairness").findings
        for estimate in finding.estimates
        if finding.check == "fairness.group_scores"
        and estimate.name == "median"
        and dict(estimate.group) == {"sex": "F"}
    )
    text = f"The median overlap of group F was {value:.3f}."
    Path(carried).write_text(f"schema_version: '1'\nclaims:\n  - {{text: '{text}', results: ['{result}']}}\n")
    yield ["claims", at.scored, carried, "--run-id", "fairness", "--json", "--out", at.new("claimed")]


def report(at):
    for folder in (at.scored, at.stamped):
        yield ["report", folder]
    yield ["report", at.scored, "--out", at.new("report")]
    yield ["report", at.scored, "--run-id", NAME]
    yield ["report", at.file(NAME)]


def export(at):
    for form in ("prov-json", "ro-crate", "cyclonedx", "bids", "croissant"):
        (at.out / form).mkdir()
        files = ["--files", at.good[2], "--about", "synthetic"] if form == "croissant" else []
        words = [
            "export",
            at.stamped,
            "--format",
            form,
            "--out",
            str(at.out / form),
            "--name",
            "set",
            "--creator",
            "us",
        ]
        yield [*words, "--license", "CC-BY-4.0", "--url", "https://example.org/", "--version", "1.0.0", *files]
    yield ["export", at.scored, "--public", "--out", at.new("public")]
    yield ["export", at.stamped, "--format", NAME, "--out", at.new("x")]
    yield ["export", at.file(NAME), "--format", "bids", "--out", at.new("y")]
    yield ["export", at.stamped, "--format", "croissant", "--files", at.file(f"{NAME}.nii"), "--out", at.new("z")]


def utility(at):
    yield ["utility", "--scores", at.of("sweep.csv"), "--out", at.new("utility")]
    yield ["utility", "--scores", at.of("sweep_wrong.csv"), "--out", at.new("utility")]
    yield ["utility", "--scores", at.file(f"{NAME}.csv"), "--out", at.new("utility")]


def keys(at):
    yield ["keys", "show"]
    yield ["keys", "show", "--pem"]
    yield ["keys", "rotate", "--json"]
    yield ["keys", "revoke", "--site", at.site, "--reason", "lost"]
    yield ["keys", "revoke", "--site", at.site, "--reason", NAME]
    yield ["keys", "revoke", "--site", at.site, "--reason", "lost", "--key", at.file(f"{NAME}.pem")]


def redact(at):
    yield ["redact", at.scored, "--kind", "attributes", "--reason", "request"]
    yield ["redact", at.scored, "--kind", "attributes", "--reason", "request", "--yes"]
    yield ["redact", at.scored, "--kind", NAME, "--reason", "request", "--yes"]
    yield ["redact", at.scored, "--kind", "scores", "--reason", f"{FIRST} {NAME} asked", "--yes"]
    yield ["redact", at.file(NAME), "--kind", "scores", "--reason", "request"]


def plan(at):
    yield ["plan", "rate", "--base", "0.8", "--gap", "0.1"]
    yield ["plan", NAME, "--gap", "0.1"]


def checks(at):
    yield ["checks"]
    yield ["checks", NAME]


def unknown(at):
    """No command at all."""
    yield [NAME, ID]
    yield ["verify"]
    yield ["verify", f"--{NAME}", ID]
    yield ["verify", at.stamped, f"--{NAME}={ID}"]
    yield ["plan", "rate", "--gap", ID]
    yield ["plan", "rate", f"--gap={ID}"]
    yield ["consent", NAME]


def tiny():
    """The tiny bundle of the tests of bundles."""
    place = Path(__file__).parents[1] / "bundle" / "conftest.py"
    spec = importlib.util.spec_from_file_location("canary_bundle", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BASE, module.METADATA


def inspect(at):
    yield ["inspect", at.of("config.json")]
    yield ["inspect", at.of("config.json"), "--json"]
    yield ["inspect", at.of("broken.json")]
    yield ["inspect", at.file(f"{NAME}.json")]


def overlay(at):
    Path(at.of("config.json")).write_text(json.dumps({**tiny()[0], NAME: ID}))
    words = ["--attributes", at.of("sex.csv"), "--policy", at.of("limits.yaml"), "--evidence", at.new("evidence")]
    yield ["overlay", at.of("config.json"), "--out", str(at.out / "private" / "overlay.json"), *words]
    yield ["overlay", at.of("config.json"), "--out", at.of("config.json")]
    yield ["overlay", at.file(f"{NAME}.json"), "--out", at.new("overlay.json")]


def features(at):
    folder = at.out / "private" / FILE
    folder.mkdir(parents=True)
    for name in (f"sub-{ID}.nii.gz", f"{NAME}.nii"):
        shutil.copy(at.data / name, folder / f"{FILE}-{name}")
    out = str(at.out / "private" / f"{NAME}.npz")
    yield ["features", "--images", str(folder), "--out", out, "--extractor", "pixels"]
    yield ["features", "--images", str(folder), "--out", out, "--extractor", "pixels", "--json"]
    yield ["features", "--images", str(at.data), "--out", out, "--extractor", "pixels"]
    yield ["features", "--images", at.file(NAME), "--out", out]
    yield ["features", "--images", str(folder), "--out", out, "--attributes", at.of("odd.csv"), "--extractor", "pixels"]


def synthesis(at):
    sets = [word for role in ("train", "holdout", "synthetic") for word in (f"--{role}", at.of(f"{role}.npz"))]
    yield ["synthesis", *sets, "--out", at.new("audit"), "--min-group-size", "20"]
    yield ["synthesis", *sets, "--out", at.new("audit"), "--strata", NAME, "--json"]
    wrong = ["--train", at.of("wrong.npz"), "--holdout", at.of("holdout.npz"), "--synthetic", at.of("synthetic.npz")]
    yield ["synthesis", *wrong, "--out", at.new("audit")]
    yield ["synthesis", *sets, "--out", at.new("audit"), "--policy", at.of("policy.yaml")]


def demo(at):
    """Its people are simulated, and tests of its own run it whole: here only what it says of a folder."""
    (at.out / f"{NAME}_file").write_text("x")
    yield ["demo", "--out", at.new("file")]
    yield ["demo", "--help"]


QUICK = {
    "stamp": stamp, "consent": consent, "guard": guard, "verify": verify, "lineage": lineage,
    "sign-model": sign_model, "watermark": watermark, "fairness": fairness, "private": private, "gate": gate,
    "mitigation": mitigation, "claims": claims, "report": report, "export": export, "utility": utility, "keys": keys,
    "redact": redact, "plan": plan, "checks": checks,
}  # fmt: skip
#: those that import torch and MONAI; `run` has a test of its own below
SLOW = {"inspect": inspect, "overlay": overlay, "features": features, "synthesis": synthesis, "demo": demo}
#: what takes less than a few seconds for all of them together, every time; the others when tests marked slow run
EVERY_TIME = ("stamp", "guard", "keys", "plan")
