# SPDX-License-Identifier: Apache-2.0
"""Lineage of a patient in 1.3 million edges beside one plain recursive query, and the index rebuilt from a log.

Run with ``python -m pytest tests/benchmarks/test_lineage.py -m slow -s``; nothing is asserted of time.
"""

import random
import time

import pytest

from monai_ethics.provenance.lineage import closure
from monai_ethics.provenance.lineage.graph import ROLES
from monai_ethics.provenance.lineage.index import bulk, refresh
from monai_ethics.provenance.lineage.settle import settle
from monai_ethics.provenance.lineage.store import open_store
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.record import Record

pytestmark = pytest.mark.slow

PATIENTS, IMAGES, SETS, MODELS, SYNTHETIC, MEMBERS = 20_000, 100_000, 200, 300, 100_000, 5_000
REAL_ONLY = 150  # the other sets may hold images of models that were trained on these
PLAIN = """WITH RECURSIVE d(n) AS (SELECT {start} UNION
SELECT e.child FROM d JOIN lineage_edge e ON e.parent = d.n) SELECT n FROM d"""
ENTRIES = 20_000


def graph():
    """Patients -> images -> sets -> trainings -> synthetic images -> some of the sets."""
    draw, nodes, edges = random.Random(0), [], []

    def node(name, kind, type_=None, synthetic=None):
        nodes.append((len(nodes) + 1, name, kind, type_, synthetic))
        return len(nodes)

    own, member, mixed = ROLES["itself"], ROLES["member"], ROLES["synthetic member"]
    named = max(ROLES.values()) + 1
    patients = [node(f"subject:k:{i}", "subject") for i in range(PATIENTS)]
    images = [node(f"image:{i}", "image") for i in range(IMAGES)]
    edges += [(patients[i % PATIENTS], image, named, 1) for i, image in enumerate(images)]
    sets = [node(f"sha256:s{i}", "set", "import", "no") for i in range(SETS)]
    models = [node(f"sha256:m{i}", "record", "training", "unknown") for i in range(MODELS)]
    edges += [(sets[i % SETS], model, named, 1) for i, model in enumerate(models)]
    edges += [(model, node(f"weights:{i}", "weights"), own, 1) for i, model in enumerate(models)]
    fed = []
    for i in range(SYNTHETIC):
        record, image = node(f"sha256:y{i}", "record", "synthesis", "yes"), node(f"image:y{i}", "image")
        edges += [(models[i % MODELS], record, named, 1), (record, image, own, 1)]
        if (i % MODELS) % SETS < REAL_ONLY:
            fed.append(image)
    made = set(fed)
    for number, one in enumerate(sets):
        pool = images if number < REAL_ONLY else images + fed
        edges += [(image, one, mixed if image in made else member, 1) for image in draw.sample(pool, MEMBERS)]
    return patients, nodes, sorted(edges)


def test_closure_of_a_patient(tmp_path, paired, row):
    patients, nodes, edges = graph()
    store = open_store(tmp_path / "index.sqlite")
    start = time.process_time()
    with store.transaction():
        store.insert("lineage_node", ("id", "name", "kind", "type", "synthetic"), nodes)
        store.insert("lineage_holds", ("node", "source"), [(n[0], 1) for n in nodes if n[2] in ("record", "set")])
        with bulk(store, len(edges)):
            store.insert("lineage_edge", ("parent", "child", "role", "source"), edges)
    written = time.process_time() - start
    with store.transaction():
        settle(store)
    settled = time.process_time() - start - written
    row(f"{len(edges)} edges", f"written in {written:.1f} s", f"settled in {settled:.1f} s")
    one = patients[:1]
    plain = PLAIN.format(start=one[0])
    groups = paired(lambda: closure.groups(store, one), lambda: store.execute(plain), repeats=7)
    row("to sets and models / plain query of all", groups, f"ms: {groups.ours * 1e3:.0f} / {groups.theirs * 1e3:.0f}")
    whole = paired(lambda: closure.full(store, one), lambda: store.execute(plain), repeats=7)
    row("all, graded / plain query of all", whole, f"ms: {whole.ours * 1e3:.0f} / {whole.theirs * 1e3:.0f}")
    for patient in patients[:5]:
        expected = {found[0] for found in store.execute(PLAIN.format(start=patient))}
        assert set(closure.full(store, [patient])) == expected
    row("nodes that derive from the patient", len(closure.full(store, one)), len(closure.groups(store, one)))
    store.close()


def test_rebuilding_the_index_from_a_log(tmp_path, row):
    with EvidenceLog.open(tmp_path / "evidence", run_id="benchmark") as log:
        model = log.add_record(Record(type="training", synthetic="unknown").to_dict())
        entries = []
        for number in range(ENTRIES // 2):
            digests = {"voxel_v1": f"{number:064x}", "geometry_v1": "0" * 64}
            parents = [{"id": model, "role": "model"}]
            subjects = [{"item": f"{number:032x}", "digests": digests}]
            made = Record(type="synthesis", synthetic="yes", subjects=subjects, parents=parents)
            body = {"item": f"{number:032x}", "record": made.id, "synthetic": "yes", "digests": digests}
            entries += [("record", made.to_dict()), ("registered", body)]
        log.append_many(entries)
    start = time.process_time()
    store = open_store(tmp_path / "index.sqlite")
    (found,) = refresh(store, [tmp_path / "evidence"])
    taken = time.process_time() - start
    start = time.process_time()
    refresh(store, [tmp_path / "evidence"])
    again = time.process_time() - start
    row("index from a log", f"{found.entries / taken:.0f} entries/s", f"again, nothing new: {again:.2f} s")
    assert found.entries > ENTRIES
    assert len(store.execute("SELECT 1 FROM lineage_node WHERE type = 'synthesis'")) == ENTRIES // 2
    store.close()
