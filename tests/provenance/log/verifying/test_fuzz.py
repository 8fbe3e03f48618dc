# SPDX-License-Identifier: Apache-2.0
"""Every reader of a log says one sentence about a log that nobody should have written, and changes nothing in it."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.errors import EthicsError, SchemaError
from monai_ethics.provenance.consent.affected import affected_by
from monai_ethics.provenance.consent.proofs import membership_proofs
from monai_ethics.provenance.consent.registry import Person, load_consent
from monai_ethics.provenance.exports.formats import FORMATS
from monai_ethics.provenance.exports.material import Told, as_bytes, read_material
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.show import findings_of, sketch_of
from monai_ethics.provenance.lineage.store import open_store
from monai_ethics.provenance.log.reading.entries import parse_entry, read_private, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.resume import inspect_log
from monai_ethics.provenance.registry.known import load_known
from monai_ethics.provenance.registry.witness import load_witness

sys.path.insert(0, str(Path(__file__).parent))
from hostile import PAYLOADS, Forger, broken_bytes

sys.path.pop(0)

WRITERS = ("fairness", "redact", "utility")
RUN_IDS = (
    "r",
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b]0;title\x07",
    "a | b\n# c",
    "../../etc",
    "=cmd()",
    "\u202ex",
    "",
)
PERSON = Person(patient_id="P1", issuer="")


@pytest.fixture
def forger(tmp_path):
    return Forger(tmp_path / "evidence", SigningKey.generate(storage="persistent"))


@pytest.fixture(autouse=True)
def one_application(monkeypatch):
    """The table of commands is built once, not for each of thousands of calls."""
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)


def exports(folder):
    material = read_material(folder)
    told = Told(name="n", license="CC-BY-4.0", creator="c", url="https://example.org/", version="1", files=())
    for form, (make, _) in FORMATS.items():
        try:
            as_bytes(make(material, told) if form != "croissant" else make(material, told, about="training"))
        except EthicsError:
            continue


def lineage(folder):
    store = open_store(None)
    try:
        refresh(store, [folder], even_altered=True, key=bytes(32))
    finally:
        store.close()


READERS = {
    "verify": lambda folder: verify_evidence(folder).to_dict(),
    "resume": inspect_log,
    "report": lambda folder: read_report(folder).to_json(),
    "private": lambda folder: [read_private(folder, kind) for kind in PAYLOADS],
    "lineage": lineage,
    "sketch": lambda folder: (sketch_of(folder), findings_of(folder)),
    "consent": load_consent,
    "affected": lambda folder: affected_by(PERSON, [folder]),
    "proof": lambda folder: membership_proofs(folder, PERSON),
    "guard": lambda folder: (load_known([folder]), load_witness(folder)),
    "export": exports,
}


def said(error):
    text = str(error)
    assert text
    assert len(text) < 600, text
    assert "Traceback" not in text


def read_all(folder, outcomes):
    """Every reader on one log: it answers, or says why not."""
    for name, read in READERS.items():
        try:
            read(folder)
            outcomes[name, "read"] += 1
        except EthicsError as error:
            said(error)
            outcomes[name, f"exit {error.exit_code}"] += 1


def parse(n, seed, forger):
    """`n` lines with broken bytes, each read or refused in words."""
    rng = random.Random(seed)
    outcomes = Counter()
    lines = forger.lines([forger.entry(rng) for _ in range(200)], opening=False)
    for number in range(n):
        line = broken_bytes(rng.choice(lines), rng)
        try:
            parse_entry(line, number % 200)
            outcomes["an entry"] += 1
        except SchemaError as error:
            said(error)
            outcomes["refused"] += 1
    return outcomes


def signed(n, seed, forger, *, most=4):
    """`n` hostile lines in logs of a few, signed so that they verify, before every reader."""
    rng = random.Random(seed)
    outcomes, left = Counter(), n
    while left > 0:
        entries = [forger.entry(rng) for _ in range(min(left, rng.randrange(1, most + 1)))]
        left -= len(entries)
        lines = forger.lines(entries)
        if rng.random() < 0.1:
            place = rng.randrange(len(lines))
            lines[place] = broken_bytes(lines[place], rng).replace(b"\n", b" ")
        forger.write(lines)
        read_all(forger.folder, outcomes)
    return outcomes


def words(folder, out, image):
    """Every command that reads evidence."""
    yield ["verify", folder]
    yield ["verify", folder, "--json"]
    yield ["verify", image, "--evidence", folder]
    yield ["private", folder]
    yield ["private", folder, "scores"]
    yield ["gate", folder, "--policy", "demo.yaml"]
    yield ["lineage", folder, "--store", f"{out}/index"]
    yield ["lineage", folder, "--store", f"{out}/index", "--patient", "P1", "--json"]
    yield ["lineage", folder, "--store", f"{out}/index", "--of", "sha256:" + "ef" * 32]
    yield ["fairness", folder, "--attributes", "side.csv", "--strata", "sex", "--min-group-size", "2"]
    yield ["mitigation", "--before", folder, "--attributes", "side.csv", "--out", f"{out}/m", "--strata", "sex"]
    yield ["consent", "status", "--site", folder]
    yield ["consent", "status", "--site", folder, "--patient", "P1"]
    yield ["consent", "proof", folder, "--patient", "P1", "--out", f"{out}/proof"]
    yield ["consent", "withdraw", "--site", f"{out}/site", "--patient", "P1", "--evidence", folder]
    yield ["report", folder, "--out", f"{out}/report"]
    yield ["redact", folder, "--kind", "scores", "--reason", "retention"]
    yield ["redact", folder, "--kind", "scores", "--reason", "retention", "--yes"]
    yield ["claims", folder, "claims.yaml", "--out", f"{out}/claims"]
    yield ["export", folder, "--public", "--out", f"{out}/public"]
    yield ["utility", "--scores", "sweep.csv", "--out", folder]
    yield ["guard", image, "--policy", "deny-list", "--evidence", folder]
    for form in FORMATS:
        about = ["--about", "training"] if form == "croissant" else []
        yield ["export", folder, "--format", form, "--out", f"{out}/{form}", "--no-log", "--name", "n", *about]


def kept(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_all(n, seed, forger, tmp_path, capsys):
    """`n` hostile logs, each before one command in turn."""
    rng = random.Random(seed)
    np.save(tmp_path / "image.npy", np.random.default_rng(0).normal(size=(8, 8, 3)).astype(np.float32))
    (tmp_path / "side.csv").write_text("case,sex\n" + "".join(f"case{i:02},{'FM'[i % 2]}\n" for i in range(40)))
    (tmp_path / "demo.yaml").write_text(
        "schema_version: '1'\ntitle: x\nlimits: []\nrequired_checks: [fairness.score_gap]\n"
    )
    (tmp_path / "claims.yaml").write_text(
        'schema_version: "1"\nclaims:\n- text: Sensitivity was 0.9.\n  rests_on: [{check: fairness.group_rates}]\n'
    )
    rows = [f"{f},{seed},c{i},0.{i}\n" for f in (1.0, 0.5) for seed in range(5) for i in range(3)]
    (tmp_path / "sweep.csv").write_text("real_fraction,seed,case,score\n" + "".join(rows))
    outcomes, number = Counter(), 0
    while number < n:
        out = tmp_path / f"out{number}"
        out.mkdir()
        for line in words(str(forger.folder), out, str(tmp_path / "image.npy")):
            if number >= n:
                break
            number += 1
            stored = {"fairness": ["scores", "labels"], "mitigation": ["scores"]}.get(line[0], [])
            entries = forger.entries(2 if stored else 3, rng, stored=stored)
            forger.write(forger.lines(entries, run_id=rng.choice(RUN_IDS)))
            before = kept(forger.folder)
            code = main(line)
            told = capsys.readouterr()
            assert code in (0, 1, 2), line
            assert told.err.count("\n") <= 1, (line, told.err)
            assert "Traceback" not in told.err + told.out
            assert "nobody foresaw" not in told.err, (line, told.err)
            if line[0] in WRITERS:  # which append to the evidence that they are given, and change nothing before
                assert (forger.folder / "log.jsonl").read_bytes().startswith(before[Path("log.jsonl")]), line
            else:
                after = {name: data for name, data in kept(forger.folder).items() if name.name != ".lock"}
                assert after == {name: data for name, data in before.items() if name.name != ".lock"}, line
            for name in set(kept(forger.folder)) - set(before):
                (forger.folder / name).unlink()
            for name, data in before.items():
                (forger.folder / name).write_bytes(data)
            outcomes[line[0], f"exit {code}"] += 1
    return outcomes


def test_a_few_hundred_hostile_lines_meet_words(forger, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sum(parse(400, 1, forger).values()) == 400
    signed(40, 2, forger)
    run_all(5, 3, forger, tmp_path, capsys)


@pytest.mark.slow
def test_thirty_three_thousand_lines_with_broken_bytes_are_read_or_refused(forger):
    began = time.perf_counter()
    outcomes = parse(33_400, 11, forger)
    print(f"\n33,400 lines with broken bytes: {dict(outcomes)}, {time.perf_counter() - began:.0f} s")


@pytest.mark.slow
def test_thousands_of_signed_hostile_lines_before_every_reader(forger):
    began = time.perf_counter()
    outcomes = signed(2_000, 12, forger)
    print(f"\n2,000 signed hostile lines, every reader: {dict(sorted(outcomes.items()))}, "
          f"{time.perf_counter() - began:.0f} s")  # fmt: skip


@pytest.mark.slow
def test_every_command_that_reads_evidence_meets_hundreds_of_hostile_logs(forger, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.perf_counter()
    outcomes = run_all(400, 13, forger, tmp_path, capsys)
    with capsys.disabled():
        print(f"\n400 hostile logs before every command: {dict(sorted(outcomes.items()))}, "
              f"{time.perf_counter() - began:.0f} s")  # fmt: skip
