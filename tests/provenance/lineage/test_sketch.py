# SPDX-License-Identifier: Apache-2.0
from monai_ethics.provenance.lineage.answers import lineage_of_patient
from monai_ethics.provenance.lineage.show import sketch_of
from monai_ethics.provenance.lineage.sketch import sketch


def test_a_small_graph_shows_each_record_once(story, indexed):
    store, _ = indexed(story["folder"])
    drawn = sketch(store)
    assert drawn.whole
    assert sum(box.label == "synthetic image" for box in drawn.boxes) == 3
    assert all(box.count == 1 for box in drawn.boxes)
    assert [box.column for box in drawn.boxes] == sorted(box.column for box in drawn.boxes)


def test_a_large_graph_shows_kinds_with_their_counts(story, indexed):
    store, _ = indexed(story["folder"])
    drawn = sketch(store, small=3)
    labels = [box.label for box in drawn.boxes]
    assert not drawn.whole
    assert {"2 patients", "3 imported images", "2 sets of images", "2 synthetic images"} <= set(labels)
    assert sum(box.count for box in drawn.boxes) == len(sketch(store).boxes)
    _, count, sources = next(row for row in drawn.rows if row[0] == "2 synthetic images")
    assert (count, sources) == (2, "2 trainings")


def test_grades_stand_beside_the_boxes(story, indexed):
    store, done = indexed(story["folder"])
    drawn = lineage_of_patient(store, done, [story["folder"]], "A").sketch
    notes = {box.label: box.note for box in drawn.boxes if box.label in ("patient", "synthetic image")}
    assert "transitive" in notes["synthetic image"]
    assert notes["patient"] == ""


def test_the_graph_of_a_folder_writes_nothing_and_is_absent_where_nothing_is_recorded(story, write, tmp_path):
    before = sorted(path.name for path in story["folder"].iterdir())
    assert sketch_of(story["folder"]) == sketch_of(story["folder"])
    assert sorted(path.name for path in story["folder"].iterdir()) == before
    with write("bare") as w:
        w.log.append("note", {})
    assert sketch_of(tmp_path / "bare") is None
