# SPDX-License-Identifier: Apache-2.0
"""A side table may be about more people than an engine evaluates; one that fits nobody stops a run before it starts."""

import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedTrainer
from monai.handlers import ValidationHandler

from monai_ethics.errors import InputError
from monai_ethics.handlers import RunSession, StratifiedScores, attach
from monai_ethics.handlers._groups import GroupSource
from monai_ethics.provenance.log.reading.entries import read_entries, read_report

FILES = [f"/data/sub-{i:02d}/image.nii.gz" for i in range(4)]
OPEN = "Each row must match one case"


@pytest.fixture
def table(tmp_path):
    def write(*rows, header="case\tsex"):
        path = tmp_path / "table.tsv"
        path.write_text("\n".join((header, *rows)) + "\n")
        return path

    return write


@pytest.fixture
def loaded(toy, monkeypatch):
    """Items that are file names, as a bundle's datalist has them, and become images when they are read."""
    by_name = {item["image"].meta["filename_or_obj"]: item for item in toy.items(8)}

    def read(self, index):
        return dict(by_name[self.data[index]["image"]])

    monkeypatch.setattr(toy.Items, "__getitem__", read)
    return lambda names: [{"image": name} for name in names]


def training(toy, items, evaluator):
    network = toy.Shift()
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(toy.Items(items), batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[ValidationHandler(1, evaluator)],
    )


def test_rows_without_a_case_end_no_run_and_are_counted(toy, tmp_path, table):
    path = table(*(f"{name}\tF" for name in FILES[:2]), "/data/sub-80/image.nii.gz\tM")
    evaluator = toy.evaluator(toy.items(4))
    attach(evaluator, out=tmp_path / "e", attributes=path).fit.check()
    evaluator.run()
    report = read_report(tmp_path / "e")
    coverage = report.findings[0]
    assert coverage.statement.endswith("2 of 3 rows of the side table match a case.")
    assert [(e.value, e.n) for e in coverage.estimates if e.name == "side_table_rows_used"] == [(2, 3)]
    (record,) = [entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "record"]
    assert record["activity"]["engines"]["SupervisedEvaluator"]["side_table"] == {
        "rows": 3,
        "rows_used": 2,
        "images_with_row": 2,
        "images_without_row": 2,
    }


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        (["sub-80/secret.nii\tF"], "case\tsex", "none of 1 rows matches any of 2 cases"),
        (["sub-80\tF", "sub-81\tF"], "participant_id\tsex", "none of 2 rows matches any of 2 cases"),
        (["image.nii.gz\tF"], "filename\tsex", OPEN),
        (["a\tF", "a\tF"], "case\tsex", "must be unique: 1 are repeated"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_before_the_first_training_batch(
    toy, tmp_path, table, loaded, rows, header, words
):
    evaluator = toy.evaluator(loaded(FILES[:2]))
    trainer = training(toy, loaded(FILES[2:]), evaluator)
    attach([trainer, evaluator], out=tmp_path / "e", attributes=table(*rows, header=header))
    with pytest.raises(InputError, match=words) as error:
        trainer.run()
    assert "secret" not in str(error.value)
    assert trainer.state.iteration == 0
    last = [entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "run"][-1]
    assert last == {"status": "failed", "error_type": "InputError"}


def test_names_that_only_the_batches_show_are_asked_at_the_end_of_the_epoch(toy, tmp_path, table):
    evaluator = toy.evaluator(toy.items(4), handlers=[StratifiedScores(attributes=table("x/y.nii\tF"))])
    with pytest.raises(InputError, match="none of 1 rows matches any of 4 cases"):
        evaluator.run()
    assert evaluator.state.iteration == 2


def test_a_repeated_name_is_refused_at_once_whatever_the_cases_are(toy, table):
    evaluator = toy.evaluator(toy.items(4), handlers=[StratifiedScores(attributes=table("a\tF", "a\tF"))])
    with pytest.raises(InputError, match="must be unique"):
        evaluator.run()
    assert evaluator.state.iteration == 0


def test_a_table_of_one_of_two_evaluations_is_enough(toy, tmp_path, table, loaded):
    first, second = toy.evaluator(loaded(FILES[:2])), toy.evaluator(loaded(FILES[2:]))
    session = RunSession(out=tmp_path / "e", attributes=table(f"{FILES[3]}\tF"))
    attach([first, second], session=session)
    first.run()
    assert session.ledger.engines["SupervisedEvaluator_0"].scores.table.used == frozenset()
    second.run()
    assert session.ledger.engines["SupervisedEvaluator_1"].scores.table.used == {0}


def test_a_training_alone_is_not_asked_unless_it_has_metrics(toy, tmp_path, table, loaded):
    trainer = training(toy, loaded(FILES), toy.evaluator(loaded(FILES)))
    attach(trainer, out=tmp_path / "e", attributes=table("sub-80.nii\tF"))
    trainer.run()
    assert trainer.state.iteration == 2


def test_the_files_of_a_list_and_a_case_key_name_cases_too(toy, table):
    many = toy.evaluator([{"image": [FILES[0], "/data/second.nii.gz"]}])
    keyed = toy.evaluator([{"image": FILES[0], "id": "k-7", "who": "p-3"}])
    for engine, words, key in ((many, "sub-00/image.nii.gz\tF", None), (keyed, "k-7\tF", "id")):
        scores = StratifiedScores(attributes=table(words), case_key=key, patient_key="who")
        scores.attach(engine)
        scores._fit.check()
    other = toy.evaluator([{"image": FILES[0], "who": "p-3"}])
    scores = StratifiedScores(attributes=table("p-3\tF", header="patient\tsex"), patient_key="who")
    scores.attach(other)
    scores._fit.check()


def test_crops_of_one_image_share_its_row(toy, table):
    items = toy.items(4)
    for i, item in enumerate(items):
        item["image"] = MetaTensor(item["image"].as_tensor(), meta={"filename_or_obj": FILES[i // 2]})
    scores = StratifiedScores(attributes=table(f"{FILES[0]}\tF", f"{FILES[1]}\tM"))
    toy.evaluator(items, handlers=[scores]).run()
    assert scores.tables[0].groups["sex"] == ("F", "F", "M", "M")


def test_a_stratum_that_names_nothing_stops_after_the_first_batch(tmp_path):
    table = tmp_path / "people.tsv"
    table.write_text("participant_id\tsex\n" + "".join(f"case{i}\tF\n" for i in range(6)))
    source = GroupSource(str(table), "sex,sexx")
    source.load()
    with pytest.raises(InputError, match=r"neither in the side table nor in the batch\. Known: sex"):
        source.check_strata([[None] * len(source.names) for _ in range(6)])


def test_a_stratum_of_the_batch_beside_a_table_is_none_that_names_nothing(tmp_path):
    table = tmp_path / "people.tsv"
    table.write_text("participant_id\tage\ncase0\t50\n")
    source = GroupSource(str(table), "age_band,site")
    source.load()
    source.check_strata([["A" if name == "site" else None for name in source.names]])


def test_an_attribute_held_fixed_that_is_nowhere_stops_a_run_at_its_first_batch(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsex\tage\nsub-01\tF\t50\n")
    for control in ("sex", "age_band", "roi_size_band", ""):
        GroupSource(table, None, {"control": control}).check_strata([])
    source = GroupSource(table, None, {"control": "scanner"})
    source.load()
    with pytest.raises(InputError, match="neither in the side table nor in the batch"):
        source.check_strata([])
