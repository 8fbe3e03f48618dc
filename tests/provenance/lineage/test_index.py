# SPDX-License-Identifier: Apache-2.0
from random import Random

import pytest

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.lineage import closure
from monai_ethics.provenance.lineage.answers import find
from monai_ethics.provenance.lineage.index import link_key, refresh
from monai_ethics.provenance.lineage.store import TABLES, open_store
from monai_ethics.provenance.log.files.payload import payload_path
from monai_ethics.provenance.log.reading.entries import read_entries


def content(store):
    """All that an index says, by name."""
    names = dict(store.execute("SELECT id, name FROM lineage_node"))
    roles = dict(store.execute("SELECT id, name FROM lineage_role"))
    return {
        "node": sorted(map(str, store.execute("SELECT name, kind, type, synthetic FROM lineage_node"))),
        "edge": sorted((names[a], names[b], roles[r]) for a, b, r in _rows(store, "edge", "parent, child, role")),
        "short": sorted((names[a], names[b], hop) for a, b, hop in _rows(store, "short", "parent, child, hop")),
        "told": sorted((names[row[0]], *map(str, row[1:])) for row in store.execute("SELECT * FROM lineage_told")),
        "gap": sorted((names[node], why) for node, why in _rows(store, "gap", "node, why")),
    }


def _rows(store, table, columns):
    return store.execute(f"SELECT DISTINCT {columns} FROM lineage_{table}")


def test_a_second_refresh_reads_only_what_is_new_and_equals_a_rebuilt_index(story, write, tmp_path):
    store = open_store(tmp_path / "index.sqlite")
    (first,) = refresh(store, [story["folder"]])
    assert first.added == first.entries
    (again,) = refresh(store, [story["folder"]])
    assert again.added == 0
    with write("evidence", run="b") as w:
        w.synthetic("s9", model=story["train1"])
    (grown,) = refresh(store, [story["folder"]])
    assert 0 < grown.added == grown.entries - first.entries
    fresh = open_store(None)
    refresh(fresh, [story["folder"]])
    assert content(store) == content(fresh)
    store.close()
    fresh.close()


def test_an_altered_log_is_refused_unless_asked_otherwise(story, indexed):
    log = story["folder"] / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"synthetic":"yes"', b'"synthetic":"no "', 1))
    with pytest.raises(GateError, match="evidence 1"):
        indexed(story["folder"])
    _, done = indexed(story["folder"], even_altered=True)
    assert done[0].status == "altered"


def test_an_older_copy_is_no_continuation(story, write, tmp_path):
    import shutil

    shutil.copytree(story["folder"], tmp_path / "old")
    with write("evidence", run="b") as w:
        w.synthetic("s9", model=story["train1"])
    store = open_store(None)
    refresh(store, [story["folder"]])
    with pytest.raises(GateError, match="older or another history"):
        refresh(store, [tmp_path / "old"])
    refresh(store, [tmp_path / "old"], even_altered=True)
    fresh = open_store(None)
    refresh(fresh, [tmp_path / "old"])
    assert content(store) == content(fresh)


def test_what_is_erased_leaves_the_index(story, tmp_path):
    store = open_store(tmp_path / "index.sqlite")
    refresh(store, [story["folder"]])
    before = content(store)
    for entry in read_entries(story["folder"]):
        if entry.kind in ("training_set", "registered") and "commitment" in entry.body:
            payload_path(story["folder"], entry.body["commitment"]).unlink()
    refresh(store, [story["folder"]])
    after = content(store)
    assert len(after["edge"]) < len(before["edge"])
    assert after["gap"]
    gone = {row for edge in before["edge"] for row in edge[:2]} - {row for edge in after["edge"] for row in edge[:2]}
    store.close()
    data = (tmp_path / "index.sqlite").read_bytes()
    gone = {name for name in gone if name.startswith("image:")}  # records stand in the log, which stays
    assert len(gone) == 3
    assert [name for name in gone if name.encode() in data] == []


def test_other_logs_are_forgotten_where_only_these_are_asked_for(story, write, tmp_path):
    with write("other") as w:
        made = w.synthetic("z", model=None)
    store = open_store(None)
    refresh(store, [story["folder"], tmp_path / "other"])
    assert find(store, made)
    refresh(store, [story["folder"]], only_these=True)
    with pytest.raises(InputError):
        find(store, made)
    fresh = open_store(None)
    refresh(fresh, [story["folder"]])
    assert content(store) == content(fresh)


def test_a_record_in_two_logs_stays_while_one_of_them_is_known(story, write, tmp_path):
    store = open_store(None)
    with write("other") as w:
        w.synthetic("s1", model=story["train1"])
    refresh(store, [story["folder"], tmp_path / "other"])
    refresh(store, [tmp_path / "other"], only_these=True)
    assert len(store.execute("SELECT 1 FROM lineage_node WHERE type = 'synthesis'")) == 1
    assert store.execute("SELECT type FROM lineage_node WHERE name = :name", name=story["train1"]) == [(None,)]


def test_the_short_graph_reaches_what_a_plain_walk_reaches(story, indexed):
    store, _ = indexed(story["folder"])
    for up, (at, to) in ((False, ("parent", "child")), (True, ("child", "parent"))):
        for (node,) in store.execute("SELECT id FROM lineage_node"):
            plain = store.execute(
                f"WITH RECURSIVE d(n) AS (SELECT {node} UNION SELECT e.{to} FROM d "
                f"JOIN lineage_edge e ON e.{at} = d.n) SELECT n FROM d"
            )
            assert set(closure.full(store, [node], up=up)) == {row[0] for row in plain}


def test_the_key_of_images_is_made_once_and_another_key_rebuilds(story, key_home, tmp_path):
    key = link_key()
    assert key == link_key()
    assert (key_home / "lineage.key").stat().st_mode & 0o777 == 0o600
    store = open_store(None)
    refresh(store, [story["folder"]])
    before = content(store)
    refresh(store, [story["folder"]], key=bytes(32))
    after = content(store)
    assert len(before["node"]) == len(after["node"])
    assert before["node"] != after["node"]


@pytest.mark.parametrize("place", ["mysql://x", "/nowhere/at/all.sqlite"])
def test_a_store_that_cannot_be_is_refused(place):
    with pytest.raises(InputError):
        open_store(place)


@pytest.mark.parametrize("said", ["other", "monai_ethics.lineage/3"])
def test_an_index_of_a_newer_or_foreign_version_is_refused(tmp_path, said):
    store = open_store(tmp_path / "index.sqlite")
    store.execute("UPDATE lineage_meta SET value = :said WHERE key = 'schema'", said=said)
    assert len(TABLES) == 11
    store.close()
    with pytest.raises(InputError, match="another version"):
        open_store(tmp_path / "index.sqlite")


def filled(path, folder):
    store = open_store(path)
    refresh(store, [folder])
    found = content(store)
    store.close()
    return found


def test_an_index_of_an_older_version_is_rebuilt_from_the_logs(story, tmp_path):
    path = tmp_path / "any.sqlite"
    true = filled(path, story["folder"])
    store = open_store(path)
    store.execute("UPDATE lineage_meta SET value = 'monai_ethics.lineage/1' WHERE key = 'schema'")
    store.execute("DROP TABLE lineage_told")  # as it was before there was such a table
    store.execute("CREATE TABLE lineage_gone (old TEXT)")
    store.execute("UPDATE lineage_node SET name = 'stale' WHERE id = 1")
    store.close()
    assert filled(path, story["folder"]) == true
    store = open_store(path)
    assert store.execute("SELECT name FROM sqlite_master WHERE name = 'lineage_gone'") == []
    store.close()
    assert b"stale" not in path.read_bytes()


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_damaged_index_is_rebuilt_from_the_logs(story, tmp_path, step):
    path = tmp_path / "index.sqlite"
    true = filled(path, story["folder"])
    whole, random = path.read_bytes(), Random(6)
    damaged = [b"", b"no database", b"SQLite format 3\0", whole[:-1], whole[: len(whole) // 2], bytes(len(whole))]
    for start in range(0, len(whole), 4096 * step):  # a page, empty or of noise
        noise = (bytes(4096), random.randbytes(4096))
        damaged.extend(whole[:start] + page + whole[start + 4096 :] for page in noise)
    for data in damaged:
        path.write_bytes(data)
        assert filled(path, story["folder"]) == true
    assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_file_of_another_name_is_no_index_of_ours(story, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"of somebody\n" * 400)
    with pytest.raises(InputError, match="no SQLite file"):
        open_store(path)
    assert path.read_bytes() == b"of somebody\n" * 400


def test_entries_that_nobody_signed_are_no_lineage(story, indexed):
    from monai_ethics.provenance.log.tree.canonical import canonical

    log = story["folder"] / "log.jsonl"
    lines = log.read_bytes().count(b"\n")
    entry = {"schema": "monai_ethics.entry/1", "seq": lines, "time": "2026", "run_id": "a", "kind": "record"}
    body = {"id": "sha256:" + "0" * 64, "type": "synthesis", "synthetic": "yes"}
    with log.open("ab") as file:
        file.write(canonical({**entry, "body": body}) + b"\n")
    store, done = indexed(story["folder"])
    assert (done[0].status, done[0].entries) == ("torn", lines)
    assert ("sha256:" + "0" * 64,) not in store.execute("SELECT name FROM lineage_node")


def test_a_log_that_is_exchanged_while_it_is_indexed_is_refused(story, indexed, monkeypatch):
    from monai_ethics.provenance.lineage import index

    def verified_then_exchanged(folder, **options):
        found = as_signed(folder, **options)
        log = folder / "log.jsonl"
        log.write_bytes(log.read_bytes().replace(b'"synthetic":"yes"', b'"synthetic":"no"', 1))
        return found

    as_signed = index.as_signed
    monkeypatch.setattr(index, "as_signed", verified_then_exchanged)
    with pytest.raises(GateError, match="stays as it was verified"):
        indexed(story["folder"])
