# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from collections import Counter

import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.lineage.answers import find, find_file, lineage_of, lineage_of_patient
from monai_ethics.provenance.lineage.findings import lineage_findings
from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.store import open_store
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, PSEUDONYM_KEY_NAME, payload_path
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.records.record import Record


def grades(answer):
    return {row.id: row.grade for row in answer.reached if row.id}


def counts(answer):
    found = Counter()
    for row in answer.reached:
        if row.id is None:
            found[row.what, row.grade] += row.count
    return found


def asked(indexed, patient, *folders, **settings):
    store, done = indexed(*folders)
    return lineage_of_patient(store, done, folders, patient, **settings)


def test_what_derives_from_a_patient_is_graded(story, indexed):
    found = grades(asked(indexed, "A", story["folder"]))
    assert {found[story[name]] for name in ("set1", "train1")} == {"direct"}
    assert {found[story[name]] for name in ("set2", "train2")} == {"transitive"}
    assert not {story["set3"], story["train3"]} & set(found)
    assert sum(name.startswith("weights:") for name in found) == 2


def test_images_are_counted_by_type_and_grade(story, indexed):
    found = counts(asked(indexed, "A", story["folder"]))
    assert found == {("synthesis", "transitive"): 3, ("import", "direct"): 2}


def test_a_patient_whom_no_log_names_reaches_nothing(story, indexed):
    answer = asked(indexed, "C", story["folder"])
    assert (answer.found, [row for row in answer.reached if row.grade != "unknown"]) == (False, [])


def test_white_space_around_a_number_is_no_other_patient(story, indexed):
    assert asked(indexed, " A ", story["folder"]).found
    assert not asked(indexed, "A", story["folder"], issuer="another hospital").found
    with pytest.raises(InputError, match="patient's number"):
        asked(indexed, "  ", story["folder"])


def test_neither_index_nor_answer_holds_the_number_or_a_digest_of_an_acquired_image(write, indexed, tmp_path):
    with write("evidence") as w:
        w.acquired("a1")
        w.set_of([("a1", "PATIENT-0815", "no")], synthetic="no")
    store = open_store(tmp_path / "index.sqlite")
    done = refresh(store, [tmp_path / "evidence"])
    answer = lineage_of_patient(store, done, [tmp_path / "evidence"], "PATIENT-0815")
    store.close()
    held = (tmp_path / "index.sqlite").read_bytes() + json.dumps(answer.to_dict()).encode()
    assert answer.found
    assert b"0815" not in held
    assert hashlib.sha256(b"a1").hexdigest().encode() not in held
    assert (tmp_path / "index.sqlite").stat().st_mode & 0o077 == 0


def test_a_synthetic_image_conditioned_on_a_patients_image_is_direct_and_what_learns_from_it_is_not(write, indexed):
    with write("evidence") as w:
        source = w.acquired("a1")
        w.set_of([("a1", "A", "no")], synthetic="no")
        made = w.synthetic("c1", model=None, parents=[(source, "conditioning image")])
        learned = w.trained(w.set_of([("c1", None, "yes")], synthetic="yes"), weights="w")
        folder = w.log.folder
    answer = asked(indexed, "A", folder)
    assert grades(answer)[learned] == "transitive"
    assert counts(answer)["synthesis", "direct"] == 1
    store, _ = indexed(folder)
    assert lineage_of(store, find(store, made), up=True).sketch.boxes


def test_an_erased_list_leaves_the_patient_named_and_others_unknown(story, indexed):
    entries = read_entries(story["folder"])
    lists = [entry.body["commitment"] for entry in entries if entry.kind == "training_set"]
    payload_path(story["folder"], lists[-1]).unlink()
    found = asked(indexed, "A", story["folder"])
    rows = {row.id: row for row in found.reached}
    assert rows[story["set3"]].grade == "unknown"
    assert rows[story["train3"]].grade == "unknown"
    assert "erased" in rows[story["set3"]].grounds[0]
    assert grades(asked(indexed, "B", story["folder"]))[story["set3"]] == "direct"


def test_without_the_pseudonym_key_everything_of_that_log_is_unknown(story, indexed):
    (story["folder"] / PRIVATE_NAME / PSEUDONYM_KEY_NAME).unlink()
    found = asked(indexed, "A", story["folder"])
    assert not found.found
    assert set(grades(found).values()) == {"unknown"}
    assert any("pseudonym key" in text for text in found.unseen)


def test_a_patient_is_asked_for_under_each_folders_own_key(story, write, indexed, tmp_path):
    with write("other") as w:
        other = w.trained(w.set_of([("x", "A", "no")], synthetic="no"), weights="w9")
    found = grades(asked(indexed, "A", story["folder"], tmp_path / "other"))
    assert found[other] == found[story["train1"]] == "direct"
    alone = grades(asked(indexed, "A", tmp_path / "other"))
    assert story["train1"] not in alone


def test_a_model_trained_elsewhere_on_these_images_is_found_by_their_values(story, write, indexed, tmp_path):
    with write("other") as w:
        other = w.trained(w.set_of([("s1", None, "yes")], synthetic="yes"), weights="w9")
    found = grades(asked(indexed, "A", story["folder"], tmp_path / "other"))
    assert found[other] == "transitive"


def test_ancestors_of_a_synthetic_image(story, indexed):
    store, _ = indexed(story["folder"])
    answer = lineage_of(store, find(store, story["t1"]), up=True)
    assert {story[name] for name in ("set1", "set2", "train1", "train2")} <= {row.id for row in answer.reached}
    assert sum(row.count for row in answer.reached if row.what == "subject") == 2
    assert find(store, story["t1"][7:20]) == find(store, story["t1"])


@pytest.mark.parametrize("text", ["sha256:" + "0" * 64, "abc", "not hex at all", "0" * 9])
def test_an_unknown_id_is_refused_in_one_sentence(story, indexed, text):
    store, _ = indexed(story["folder"])
    with pytest.raises(InputError):
        find(store, text)


def test_a_checkpoint_is_found_by_its_bytes(write, indexed, tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"weights")
    with write("evidence") as w:
        made = w.trained(None, weights="w")
        sha = hashlib.sha256(b"weights").hexdigest()
        w.log.append("stored", {"item": "i", "role": "checkpoint", "sha256": sha, "size": 7})
    store, _ = indexed(tmp_path / "evidence")
    answer = lineage_of(store, find_file(store, weights), up=True)
    assert made in {row.id for row in answer.reached}
    assert any("names no set" in text for text in answer.unseen)
    (tmp_path / "other.pt").write_bytes(b"other")
    with pytest.raises(InputError, match="none registers"):
        find_file(store, tmp_path / "other.pt")


def test_an_origin_that_one_log_does_not_know_is_seen_where_another_log_tells_it(write, indexed, tmp_path):
    with write("training") as w:
        learned = w.set_of([("a", "P1", "no")], synthetic="no")
        w.trained(learned, weights="w", synthetic="no")
    model = {"weights_sha256": hashlib.sha256(b"w").hexdigest(), "unknown_origin": True}
    with write("inference") as w:
        item = Record(type="synthesis", synthetic="yes", subjects=[{"item": "i"}], model=model)
        made = w.log.add_record(item.to_dict())
    folders = {False: [tmp_path / "inference"], True: [tmp_path / "inference", tmp_path / "training"]}
    for told, given in folders.items():
        store, _ = indexed(*given)
        came = lineage_of(store, find(store, made), up=True)
        assert ("training" in {row.what for row in came.reached}) is told
        assert any("unknown origin" in text for text in came.unseen) is not told


def test_circles_end_and_have_no_depth(write, indexed, tmp_path):
    with write("evidence") as w:
        first = w.synthetic("s", model=None, weights="same")
        w.trained(w.set_of([("s", None, "yes")], synthetic="yes"), weights="same")
    store, _ = indexed(tmp_path / "evidence")
    answer = lineage_of(store, find(store, first))
    assert {row.what for row in answer.reached} >= {"training", "weights", "set"}
    assert {row.depth for row in answer.reached} == {None}
    depth, _ = lineage_findings(store)
    assert depth.verdict == "not_assessable"


def test_generations_are_counted_and_undeclared_mixtures_told(story, write, indexed, tmp_path):
    with write("evidence", run="b") as w:
        quiet = w.set_of([("s1", None, "yes"), ("b1", "B", "no")], synthetic="unknown")
        w.synthetic("q1", model=w.trained(quiet, weights="w8"))
    store, _ = indexed(tmp_path / "evidence")
    depth, marks = lineage_findings(store)
    assert depth.accounting == {"depth 1": 2, "depth 2": 2}
    values = {estimate.name: estimate.value for estimate in depth.estimates}
    assert (values["beyond_first_generation"], values["beyond_first_generation_undeclared"]) == (2, 1)
    assert values["deepest_chain"] == 2
    assert [row.items for row in marks.observations] == [(quiet,)]


def test_a_number_that_was_recorded_without_an_issuer_may_be_the_patient(story, indexed):
    found = asked(indexed, "A", story["folder"], issuer="a hospital")
    assert set(grades(found).values()) == {"unknown"}
    assert any("without an issuer" in why for row in found.reached for why in row.grounds)


def test_runs_of_models_are_no_images_and_validation_is_not_learned(write, indexed, tmp_path):
    with write("evidence") as w:
        w.acquired("a1")
        learned = w.set_of([("a1", "A", "no")], synthetic="no")
        looked = w.set_of([("b1", "B", "no")], synthetic="no", role="validation set")
        parents = [{"id": learned, "role": "training set"}, {"id": looked, "role": "validation set"}]
        ends = {"train.network.start": {"sha256": "2" * 64}, "train.network.end": {"sha256": "1" * 64}}
        made = Record(type="training", synthetic="no", parents=parents, model={"weights_sha256": "1" * 64, **ends})
        training = w.log.add_record(made.to_dict())
        body = {"item": "i", "role": "checkpoint", "record": training, "sha256": "3" * 64, "weights": ["1" * 64]}
        w.log.append("stored", body)
        model = {"weights_sha256": "1" * 64}
        run = Record(type="synthesis", synthetic="yes", activity={"engines": {"e": {}}}, model=model)
        w.log.add_record(run.to_dict())
        for image in ("s1", "s2"):
            w.synthetic(image, model=training, weights="not these")
    store, _ = indexed(tmp_path / "evidence")
    first = asked(indexed, "A", tmp_path / "evidence")
    assert counts(first) == {
        ("import", "direct"): 1,
        ("run", "transitive"): 1,
        ("synthesis", "transitive"): 2,
    }
    assert training not in {row.id for row in asked(indexed, "B", tmp_path / "evidence").reached}
    assert lineage_findings(store)[0].accounting == {"depth 1": 2}
    assert not any("2" * 12 in box.note for box in first.sketch.boxes)
    file = lineage_of(store, find(store, "3" * 64))  # who holds a checkpoint asks what was made with it
    assert {(row.what, row.grade) for row in file.reached} >= {("weights", "direct"), ("run", "transitive")}
