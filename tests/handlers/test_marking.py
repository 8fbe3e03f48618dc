# SPDX-License-Identifier: Apache-2.0
"""A run that was declared synthetic marks every image that it wrote, in sidecars and evidence; no image is changed."""

import json

import numpy as np
import pytest
from ignite.engine import Events

from monai_ethics.handlers import attach
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.log.reading.entries import read_entries, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.known import load_known, match
from monai_ethics.provenance.registry.stamp import stamp_files

IMAGE = np.random.default_rng(0).random((8, 8))


@pytest.fixture
def run(toy, tmp_path):
    def run(write, *, synthetic=True):
        evaluator = toy.evaluator(toy.items(3))
        session = attach(evaluator, out=tmp_path / "e", synthetic=synthetic)
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda: session.watch(tmp_path / "out"))
        evaluator.add_event_handler(Events.COMPLETED, write)
        evaluator._event_handlers[Events.COMPLETED].reverse()  # before the writer
        evaluator.run()
        return session

    (tmp_path / "out").mkdir()
    return run


def sidecar(path):
    return json.loads(path.with_name(path.name + ".prov.json").read_text())


def test_every_image_is_marked_and_registered_and_keeps_its_bytes(run, tmp_path):
    good, unreadable, text = (tmp_path / "out" / name for name in ("a.npy", "b.png", "c.txt"))

    def write():
        np.save(good, IMAGE)
        unreadable.write_bytes(b"none")
        text.write_text("x")

    run(write)
    assert np.array_equal(np.load(good), IMAGE)
    assert unreadable.read_bytes() == b"none"
    assert sidecar(good)["synthetic"] == sidecar(unreadable)["synthetic"] == "yes"
    assert not (tmp_path / "out" / "c.txt.prov.json").exists()
    assert match(digest_file(good), load_known([tmp_path / "e"]).synthetic, any_slice=False)
    records = [entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "record"]
    (told,) = [r["activity"]["images_declared_synthetic"] for r in records if "engines" in r["activity"]]
    assert told == 2
    assert verify_evidence(tmp_path / "e").status in ("trusted", "intact-signer-unknown")


def test_without_the_declaration_nothing_is_marked(run, tmp_path):
    run(lambda: np.save(tmp_path / "out" / "a.npy", IMAGE), synthetic=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.npy"]


def test_an_acquired_image_that_comes_out_is_a_finding_and_the_others_are_marked(run, tmp_path):
    np.save(tmp_path / "real.npy", IMAGE)
    with EvidenceLog.open(tmp_path / "e", run_id="before") as log:
        stamp_files([tmp_path / "real.npy"], log, synthetic="no")
        log.seal()

    def write():
        np.save(tmp_path / "out" / "copy.npy", IMAGE)
        np.save(tmp_path / "out" / "new.npy", IMAGE + 1)

    run(write)
    findings = [f.statement for f in read_report(tmp_path / "e").findings if f.check == "provenance.synthetic_guard"]
    assert any("1 of 2 images to be stamped as synthetic are registered as acquired" in text for text in findings)
    assert sidecar(tmp_path / "out" / "copy.npy")["synthetic"] == "yes"
    known = load_known([tmp_path / "e"]).synthetic
    assert match(digest_file(tmp_path / "out" / "new.npy"), known, any_slice=False)
    assert not match(digest_file(tmp_path / "out" / "copy.npy"), known, any_slice=False)
