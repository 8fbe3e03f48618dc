# SPDX-License-Identifier: Apache-2.0
"""The index on a real PostgreSQL server, started here on a free port in a temporary folder."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.lineage import closure
from monai_ethics.provenance.lineage.answers import find, lineage_of, lineage_of_patient
from monai_ethics.provenance.lineage.findings import lineage_findings
from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.store import open_store
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import patient_identifier
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of

pytestmark = pytest.mark.real


def skip(reason):
    print(f"skipped: {reason}")
    pytest.skip(reason)


def as_user():
    """Words before a command: the server refuses to run as root."""
    if os.geteuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        if shutil.which("setpriv"):
            return words, user
    return skip("PostgreSQL refuses to run as root, and there is no other user to run it as")


@pytest.fixture(scope="module")
def server():
    tools = {name: shutil.which(name) for name in ("initdb", "pg_ctl")}
    if None in tools.values():
        skip("there is no PostgreSQL server here (initdb, pg_ctl)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    words, user = as_user()
    folder = Path(tempfile.mkdtemp())  # not below a folder that only this user can enter
    data = folder / "data"
    data.mkdir(mode=0o700)
    if user is not None:
        for path in (folder, data):
            os.chown(path, user.pw_uid, user.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}

    def run(*command):
        return subprocess.run(
            [*words, *command], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    made = run(tools["initdb"], "-D", str(data), "-U", "lineage", "-A", "trust", "-E", "UTF8", "--no-sync")
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        skip(f"initdb did not work here: {' '.join(made.stdout.splitlines()[-4:])}")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    started = subprocess.run(
        [*words, tools["pg_ctl"], "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start"],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if started.returncode:
        skip("the PostgreSQL server did not start here")
    yield f"postgresql+psycopg://lineage@127.0.0.1:{port}/postgres"
    run(tools["pg_ctl"], "-D", str(data), "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))


def write(folder, *, run, generations):
    """Patients, a set, a training, an image, a set of that image ... and so on."""
    with EvidenceLog.open(folder, run_id=run) as log:
        members = [("a1", "A", "no"), ("b1", "B", "no")]
        for number in range(generations):
            leaves = [
                leaf_of(
                    log,
                    subject=log.pseudonym("patient", patient_identifier(who)) if who else log.pseudonym("file", image),
                    patient=who is not None,
                    voxel_v1=image * 8,
                    synthetic=state,
                )
                for image, who, state in members
            ]
            of = add_training_set(log, TrainingSet(leaves), synthetic="yes" if number else "no")
            weights = {"weights_sha256": f"{number:064x}"}
            parents = [{"id": of, "role": "training set"}]
            model = log.add_record(Record(type="training", synthetic="no", parents=parents, model=weights).to_dict())
            image = f"{run}-{number}"
            subject = {"item": image, "digests": {"voxel_v1": image * 8}}
            made = Record(
                type="synthesis", synthetic="yes", subjects=[subject], parents=[{"id": model, "role": "model"}]
            )
            last = log.add_record(made.to_dict())
            members = [(image, None, "yes")]
    return last


def names(store, found):
    known = dict(store.execute("SELECT id, name FROM lineage_node"))
    return {known[node]: hop for node, hop in found.items()}


def test_both_databases_give_the_same_answers(server, tmp_path):
    last = write(tmp_path / "one", run="one", generations=4)
    write(tmp_path / "two", run="two", generations=2)
    folders = [tmp_path / "one", tmp_path / "two"]
    theirs, ours = open_store(server), open_store(None)
    done = [refresh(store, folders) for store in (theirs, ours)]
    assert [item.entries for item in done[0]] == [item.entries for item in done[1]]
    for up in (False, True):
        found = [names(store, closure.full(store, [find(store, last)], up=up)) for store in (theirs, ours)]
        assert found[0] == found[1]
    answers = [lineage_of_patient(store, item, folders, "A") for store, item in zip((theirs, ours), done, strict=True)]
    assert answers[0].to_dict() == answers[1].to_dict()
    assert len(answers[0].reached) > 10
    ancestors = [lineage_of(store, find(store, last), up=True).to_dict() for store in (theirs, ours)]
    assert ancestors[0] == ancestors[1]
    findings = [[finding.to_dict() for finding in lineage_findings(store)] for store in (theirs, ours)]
    assert findings[0] == findings[1]
    write(tmp_path / "two", run="three", generations=1)
    again = refresh(theirs, folders)
    assert [item.added > 0 for item in again] == [False, True]
    for store in (theirs, ours):
        store.close()


def test_an_index_on_the_server_outlives_its_connection_and_forgets_what_it_is_told_to(server, tmp_path):
    write(tmp_path / "three", run="x", generations=1)
    first = open_store(server)
    with pytest.raises(InputError, match=r"lineage\.key"):  # a store that others share is not emptied for another key
        refresh(first, [tmp_path / "three"], key=bytes(range(32)))
    first.execute("DELETE FROM lineage_meta WHERE key = 'link_key'")
    refresh(first, [tmp_path / "three"], only_these=True)
    first.close()
    second = open_store(server)
    assert len(second.execute("SELECT 1 FROM lineage_source")) == 1
    assert second.execute("SELECT COUNT(*) FROM lineage_node WHERE type = 'synthesis'") == [(1,)]
    second.close()


def test_a_server_that_is_not_there_is_told_without_its_password():
    with pytest.raises(InputError, match="no connection") as caught:
        open_store("postgresql+psycopg://lineage:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)
