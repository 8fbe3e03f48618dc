# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from monai_ethics.errors import GateError, InputError
from monai_ethics.handlers import attach
from monai_ethics.handlers.admission import checked_guard
from monai_ethics.provenance.consent.admission import ConsentJudge, people_of_item
from monai_ethics.provenance.consent.registry import UNKNOWN, ConsentRegistry, Person, Will
from monai_ethics.provenance.consent.statements import Consent
from monai_ethics.provenance.log.reading.entries import read_report
from monai_ethics.transforms.guarded import GuardedDataset

pytestmark = pytest.mark.slow
PEOPLE = ("DOE-1", "DOE-2", "DOE-3")


@pytest.fixture
def items(tmp_path):
    found = []
    for place, name in enumerate(PEOPLE):
        path = tmp_path / f"sub-{place}.nii"
        array = np.random.default_rng(place).normal(size=(4, 4, 4)).astype(np.float32)
        nib.save(nib.Nifti1Image(array, np.eye(4)), path)
        found.append({"image": str(path), "patient_id": name})
    return found


@pytest.fixture
def registry(tmp_path):
    """A site where the first two agreed to training."""
    registry = ConsentRegistry(tmp_path / "site")
    consent = Consent(subject=UNKNOWN, purposes=("training", "evaluation"))
    registry.record([Will(person=Person(patient_id=name), consent=consent) for name in PEOPLE[:2]])
    return registry


class Loaded(Dataset):
    """Shows items with paths; gives a small tensor."""

    def __getitem__(self, index):
        return {"image": torch.full((1, 4, 4), float(index)), "label": torch.zeros(1, 4, 4)}


def engine_of(items, cls=SupervisedTrainer):
    network = torch.nn.Conv2d(1, 1, 1)
    loader = DataLoader(Loaded(items), batch_size=1)
    if cls is SupervisedEvaluator:
        return cls(device=torch.device("cpu"), val_data_loader=loader, network=network)
    return cls(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=loader,
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
    )


def consented(folder):
    report = read_report(folder)
    return next(one for one in report.findings if one.check == "provenance.consent_coverage")


def guard(registry, rule, **more):
    return {"site": str(registry.site), "consent": rule, **more}


def test_a_withdrawn_person_ends_the_training_before_the_first_iteration(registry, items, tmp_path):
    registry.withdraw(Person(patient_id=PEOPLE[1]))
    engine = engine_of(items)
    attach(engine, out=tmp_path / "evidence", guard=guard(registry, "opt-out"))
    with pytest.raises(GateError, match=r"1 of 3 items are refused, at 2 ") as error:
        engine.run()
    assert "DOE" not in str(error.value)
    assert engine.state.iteration == 0
    finding = consented(tmp_path / "evidence")
    assert str(finding.verdict) == "failed"
    assert dict(finding.accounting) == {"consented": 1, "withdrawn": 1, "no consent recorded": 1}


def test_silence_is_enough_for_opt_in_to_refuse(registry, items, tmp_path):
    engine = engine_of(items)
    attach(engine, out=tmp_path / "evidence", guard=guard(registry, "opt-in"))
    with pytest.raises(GateError, match="at 3 "):
        engine.run()
    engine = engine_of(items[:2])
    attach(engine, out=tmp_path / "second", guard=guard(registry, "opt-in"))
    engine.run()
    assert str(consented(tmp_path / "second").verdict) == "passed"


def test_the_site_log_of_the_run_is_the_one_that_is_asked(registry, items, tmp_path):
    engine = engine_of(items)
    attach(engine, out=tmp_path / "evidence", site=registry.site, guard={"consent": "opt-in"})
    with pytest.raises(GateError, match="at 3 "):
        engine.run()


def test_a_refusal_for_want_of_a_person_says_where_people_are_named(registry, items, tmp_path):
    engine = engine_of([{"image": item["image"]} for item in items])
    attach(engine, out=tmp_path / "evidence", guard=guard(registry, "opt-in"))
    with pytest.raises(GateError, match=r"no person known: training.*`patient_id` in the items, or a table"):
        engine.run()


def test_a_withdrawal_between_two_runs_is_seen_on_resume(registry, items, tmp_path):
    engine = engine_of(items[:2])
    attach(engine, out=tmp_path / "evidence", guard=guard(registry, "opt-in"))
    engine.run()
    registry.withdraw(Person(patient_id=PEOPLE[0]))
    engine.state.max_epochs = 2
    with pytest.raises(GateError, match="at 1 "):
        engine.run()


def test_what_an_engine_does_tells_the_purpose(registry, items, tmp_path):
    registry.withdraw(Person(patient_id=PEOPLE[0]), purposes=("training",))
    engine = engine_of(items[:2], SupervisedEvaluator)
    attach(engine, out=tmp_path / "evidence", guard=guard(registry, "opt-in"))
    engine.run()
    assert consented(tmp_path / "evidence").parameters["purpose"] == "evaluation"
    engine = engine_of(items[:2], SupervisedEvaluator)
    attach(engine, out=tmp_path / "second", guard=guard(registry, "opt-in", purpose="synthesis"))
    with pytest.raises(GateError):
        engine.run()


def test_a_handler_that_a_bundle_lists_learns_the_purpose_when_the_engine_starts(registry, items):
    """MONAI attaches listed handlers before the engine has its optimizer."""
    registry.withdraw(Person(patient_id=PEOPLE[0]), purposes=("training",))
    network = torch.nn.Conv2d(1, 1, 1)
    engine = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(Loaded(items), batch_size=1),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[checked_guard(guard(registry, "opt-out"))],
    )
    with pytest.raises(GateError, match=r"at 1 \([0-9a-f]{32}: withdrawn: training\)"):
        engine.run()


def test_the_side_table_tells_whose_image_it_is(registry, items, tmp_path):
    rows = [f"{Path(item['image']).name}\t{item.pop('patient_id')}\tF" for item in items]
    table = tmp_path / "participants.tsv"
    table.write_text("\n".join(["filename\tpatient\tsex", *rows]) + "\n")
    registry.withdraw(Person(patient_id=PEOPLE[1]))
    engine = engine_of(items)
    attach(engine, out=tmp_path / "evidence", attributes=table, guard=guard(registry, "opt-out"))
    with pytest.raises(GateError, match="at 2 "):
        engine.run()


def test_a_dataset_is_judged_as_its_loader_is_built(registry, items):
    registry.withdraw(Person(patient_id=PEOPLE[0]))
    judge = ConsentJudge(registry.site, rule="opt-out")
    with pytest.raises(GateError):
        DataLoader(GuardedDataset(Dataset(items), judges=[judge]), batch_size=1, shuffle=True)
    kept = GuardedDataset(Dataset(items), judges=[judge], drop=True)
    assert (len(kept), kept.dropped) == (2, (1,))


def test_a_withdrawal_reaches_a_person_whose_issuer_one_side_leaves_out(registry, items):
    later = datetime.now(UTC) + timedelta(seconds=5)
    registry.withdraw(Person(patient_id=PEOPLE[2], issuer="St. Elsewhere"))
    judge = ConsentJudge(registry.site, rule="opt-out", clock=lambda: later)
    assert judge.judge(items).positions == (3,)
    registry.withdraw(Person(patient_id="DOE-4"))
    item = [{"image": items[0]["image"], "patient_id": "DOE-4"}]
    assert judge.judge(item).positions == (1,)
    assert registry.erase(Person(patient_id=PEOPLE[2], issuer="St. Elsewhere"))
    assert judge.judge(items).positions == ()


def test_an_item_names_its_person_or_its_file_does(items):
    assert people_of_item(items[0]) == (Person(patient_id="DOE-1"),)
    assert people_of_item({"image": items[0]["image"]}) == ()


@pytest.mark.parametrize(
    "named",
    [
        {"Patient_ID": "7"},
        {"patientId": 7},
        {"patient_id": np.int64(7)},
        {"patient_id": 7.0},
        {"patient_id": torch.tensor(7)},
        {"patient_id": ["7"]},
        {"patient_id": b"7"},
        {"patient": {"id": "7", "age": 60}},
        {"meta": {"subject_id": "\u00a07\u200b"}},
    ],
)
def test_a_patient_is_found_however_an_item_writes_the_number(named):
    assert people_of_item(named) == (Person(patient_id="7"),)
    assert people_of_item({"patient_id": True, "patient": None, "note": "7"}) == ()


def test_a_file_called_like_the_number_does_not_hide_the_patient(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DOE-1").touch()
    assert people_of_item({"patient_id": "DOE-1"}) == (Person(patient_id="DOE-1"),)
    assert people_of_item({"subject": str(tmp_path / "DOE-1")}) == ()


def test_everybody_whom_an_item_names_must_agree(registry, tmp_path):
    def file(name, number, *, preamble=True):
        dataset = pydicom.Dataset()
        dataset.PatientID = number
        pydicom.dcmwrite(tmp_path / name, dataset, implicit_vr=True, little_endian=True)
        if preamble:
            data = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(bytes(128) + b"DICM" + data)
        return str(tmp_path / name)

    registry.withdraw(Person(patient_id="GONE"))
    here, gone, bare = file("a.dcm", "HERE"), file("1.2.840.1", "GONE"), file("c.dcm", "GONE", preamble=False)
    items = [
        {"patient_id": "HERE", "image": gone},
        {"image": [here, gone]},
        {"image": here, "label": gone},
        {"image": bare},
        {"image": here},
    ]
    later = datetime.now(UTC) + timedelta(seconds=5)
    judge = ConsentJudge(registry.site, rule="opt-out", clock=lambda: later)
    assert judge.judge(items).positions == (1, 2, 3, 4)


def test_the_consent_of_one_does_not_speak_for_another_of_the_same_number(registry):
    agreed = Consent(subject=UNKNOWN, purposes=("training",))
    elsewhere = Consent(subject=UNKNOWN, purposes=("evaluation",))
    registry.record([Will(person=Person(patient_id="77", issuer="A"), consent=agreed)])
    later = datetime.now(UTC) + timedelta(seconds=5)
    judge = ConsentJudge(registry.site, rule="opt-in", clock=lambda: later)
    assert judge.judge([{"patient_id": "77"}]).positions == ()
    registry.record([Will(person=Person(patient_id="77", issuer="B"), consent=elsewhere)])
    assert judge.judge([{"patient_id": "77"}]).positions == (1,)


def test_settings_that_make_no_sense_are_refused(registry, monkeypatch):
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    with pytest.raises(InputError, match="rule"):
        checked_guard(guard(registry, "maybe"))
    with pytest.raises(InputError, match="purpose"):
        checked_guard(guard(registry, "opt-in", purpose="advertising"))
    with pytest.raises(InputError, match="go with `consent`"):
        checked_guard({"site": str(registry.site), "purpose": "training"})
    with pytest.raises(InputError, match="site log"):
        checked_guard({"consent": "opt-in"})
