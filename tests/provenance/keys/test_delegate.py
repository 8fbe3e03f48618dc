# SPDX-License-Identifier: Apache-2.0
"""A child process signs: this one never holds the key, and loses no evidence when the child ends."""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys import delegate, environment
from monai_ethics.provenance.keys.child import OK, REFUSED, REPLY, REQUEST, may_sign, serve
from monai_ethics.provenance.keys.delegate import ChildSigner, signing_child, start_signer, stop_signer
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import verify_signature
from monai_ethics.provenance.keys.rotation import ENDORSEMENT_DOMAIN
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.tree.head import HEAD_SCHEMA
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.resume import RESUME_SCHEMA
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.signed.envelope import PAYLOAD_TYPE, pre_authentication, read_statement, signed_statement

HEAD = b"monai_ethics.head/1\n{}"


@pytest.fixture(autouse=True)
def no_child_left():
    yield
    delegate._end_all()


@pytest.fixture
def child():
    home = start_signer()
    yield delegate._PRESENT[home]
    stop_signer(home)


def test_logs_and_statements_are_signed_by_the_child(key_home, tmp_path, child):
    with EvidenceLog.open(tmp_path / "e", run_id="a") as log:
        assert log.key is child
        envelope = signed_statement({"id": "x"}, subjects={"image": {"sha256": "00"}}, key=log.key)
    assert not list(tmp_path.glob("*.pem"))
    delegate._end_all()
    public = load_or_create_key(tmp_path).public
    assert child.public == public
    assert verify_evidence(tmp_path / "e", trusted=[public]).status == "trusted"
    assert read_statement(envelope, trusted=[public]).trusted


def test_a_key_is_made_only_when_it_is_asked_for(key_home, child):
    assert not key_home.exists()
    assert child.storage == "persistent"
    assert (key_home / "ed25519.pem").exists()


def test_only_heads_and_statements_are_signed(child):
    assert verify_signature(child.public, child.sign(HEAD), HEAD)
    for message in (b"x", b"DSSEv1 4 text 1 x", ENDORSEMENT_DOMAIN + bytes(64), HEAD[1:], b"DSSEv1"):
        with pytest.raises(InputError, match="Nothing else is signed"):
            child.sign(message)
    for message in (b"", bytes(5_000_000)):
        with pytest.raises(InputError, match="at most 4 MB"):
            child.sign(message)
    assert child.sign(HEAD)


def test_what_may_be_signed_is_what_is_signed_elsewhere():
    assert may_sign(pre_authentication(b"{}"))
    assert may_sign(f"{HEAD_SCHEMA}\n{{}}".encode())
    assert may_sign(f"{RESUME_SCHEMA}\n{{}}".encode())
    assert PAYLOAD_TYPE == "application/vnd.in-toto+json"
    assert not may_sign(pre_authentication(b"{}").replace(b"in-toto", b"other"))


def test_requests_of_any_form_end_the_child_or_are_answered(key_home):
    for data, replies in (
        (b"", 1),
        (b"abc", 1),
        (REQUEST.pack(1, 10) + b"short", 1),
        (REQUEST.pack(1, 2**31), 1),
        (REQUEST.pack(7, 1) + b"x", 2),
        (REQUEST.pack(7, 0) + REQUEST.pack(8, len(HEAD)) + HEAD, 3),
    ):
        out = io.BytesIO()
        serve(io.BytesIO(data), out)
        text, seen = out.getvalue(), []
        while text:
            number, status, length = REPLY.unpack_from(text)
            seen.append((number, status, text[REPLY.size : REPLY.size + length]))
            text = text[REPLY.size + length :]
        assert len(seen) == replies
        assert seen[0] == (0, OK, b"")
        if replies == 2:
            assert seen[1][:2] == (7, REFUSED)
        if replies == 3:
            assert (seen[2][0], len(seen[2][2])) == (8, 64)


def test_threads_get_their_own_signatures(child):
    public, wrong = child.public, []

    def work(number):
        for step in range(50):
            message = HEAD + f"{number} {step}".encode()
            if not verify_signature(public, child.sign(message), message):
                wrong.append(message)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_interrupted_call_does_not_shift_the_answers(child, monkeypatch):
    public, wait = child.public, child._reply

    def interrupted(number):
        monkeypatch.setattr(child, "_reply", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "_reply", interrupted)
    with pytest.raises(KeyboardInterrupt):
        child.sign(HEAD + b"first")
    assert verify_signature(public, child.sign(HEAD + b"second"), HEAD + b"second")


def test_when_the_child_ends_the_log_goes_on_under_an_announced_ephemeral_key(tmp_path, child, capsys):
    with EvidenceLog.open(tmp_path / "e", run_id="a") as log:
        public = child.public
        log.append("note", {"number": 1})
        child._process.kill()
        child._process.wait()
        log.append("note", {"number": 2})
        envelope = signed_statement({"id": "x"}, subjects={"image": {"sha256": "00"}}, key=log.key)
    assert capsys.readouterr().err.count("ephemeral") == 1
    keys = [entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "key"]
    assert [body["key"] for body in keys] == ["persistent", "ephemeral"]
    assert (keys[1]["previous"], keys[1]["endorsement"]) == (public.hex(), None)
    assert [entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "note"] == [
        {"number": 1},
        {"number": 2},
    ]
    assert verify_evidence(tmp_path / "e").status == "intact-signer-unknown"
    assert verify_evidence(tmp_path / "e", trusted=[public]).status == "wrong-key"
    assert read_statement(envelope).signature_holds


def test_a_child_that_ends_before_it_was_asked_is_replaced_too(tmp_path, child, capsys):
    child._process.kill()
    child._process.wait()
    with EvidenceLog.open(tmp_path / "e", run_id="a"):
        pass
    assert capsys.readouterr().err.count("\n") == 1
    assert verify_evidence(tmp_path / "e").key == "ephemeral"


def test_signals_of_the_terminal_do_not_end_the_child(child):
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(child._process.pid, number)
    assert child.sign(HEAD)
    assert os.getsid(child._process.pid) != os.getsid(0)


LOOK = """
import ctypes, os, subprocess, sys
from pathlib import Path

if os.geteuid() == 0 and len(sys.argv) == 1:  # root looks into everything, unless it gave up that right
    for right in (19, 21, 38):  # CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON
        ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "without"])
from monai_ethics.provenance.keys import delegate

plain = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
child = delegate._PRESENT[delegate.start_signer()]._process
for process in (plain, child):
    for name in ("mem", "environ"):
        try:
            Path("/proc", str(process.pid), name).open("rb").close()
            print("opened")
        except PermissionError:
            print("refused")
plain.communicate(b"")
"""


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_the_user_cannot_look_into_the_child(key_home):
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["opened", "opened", "refused", "refused"]  # another process shows what is usual


def test_the_child_ends_when_its_last_user_leaves(key_home):
    first, second = start_signer(), start_signer()
    process = delegate._PRESENT[first]._process
    stop_signer(first)
    assert process.poll() is None
    stop_signer(second)
    assert process.returncode == 0
    assert delegate._PRESENT == {}
    stop_signer(second)


def test_a_forked_process_signs_nothing_and_keeps_no_pipe(child):
    child.sign(HEAD)
    pid = os.fork()
    if pid == 0:  # no exception may leave the copy of the test
        code = 1
        try:
            child.sign(HEAD)
        except InputError:
            closed = [stream.closed for stream in (child._process.stdin, child._process.stdout)]
            code = 0 if all(closed) and not delegate._PRESENT else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert child.sign(HEAD)


def test_a_worker_that_outlives_the_process_does_not_keep_the_child(key_home, tmp_path):
    program = """
import os, sys, time
from monai_ethics.provenance.keys import delegate
home = delegate.start_signer()
child = delegate._PRESENT[home]._process.pid
if os.fork() == 0:
    time.sleep(20)
    os._exit(0)
print(child, flush=True)
os._exit(0)
"""
    done = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(done.stdout.readline())
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists() or "Z" in _state(pid)
    done.stdout.close()
    done.wait()


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_the_child_takes_the_secrets_and_the_environment_loses_them(tmp_path, hand_over):
    public = hand_over("long words", opened="long words")
    with signing_child():
        assert not {environment.SIGNING_KEY, environment.KEY_PASSPHRASE} & set(os.environ)
        assert environment._TAKEN == {}
        assert load_or_create_key(tmp_path).public == public
    assert load_or_create_key(tmp_path).public == public  # nothing else could open that key again


def test_a_process_that_read_a_secret_before_goes_on_signing_itself(tmp_path, hand_over):
    public = hand_over()
    load_or_create_key(tmp_path)
    assert start_signer() is None
    assert load_or_create_key(tmp_path).public == public


def test_a_wrong_passphrase_is_told_before_anything_starts(hand_over):
    hand_over("long words", opened="other")
    with pytest.raises(InputError, match="got another one"), signing_child():
        raise AssertionError
    assert delegate._PRESENT == {}


def test_other_ranks_start_no_child_and_lose_the_secrets_unread(hand_over, monkeypatch):
    hand_over()
    monkeypatch.setenv("RANK", "1")
    assert start_signer() is None
    assert (environment.SIGNING_KEY in os.environ, environment._TAKEN) == (False, {})


def test_an_unusable_home_is_told_once_by_this_process(key_home, tmp_path, capsys):
    key_home.parent.mkdir(parents=True, exist_ok=True)
    key_home.write_bytes(b"")
    with signing_child():
        assert load_or_create_key(tmp_path).storage == "ephemeral"
        assert load_or_create_key(tmp_path).storage == "ephemeral"
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("executable", ["", "/nowhere/python", "/bin/false"])
def test_where_no_child_starts_this_process_signs_and_says_so(tmp_path, capsys, monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    with signing_child():
        assert not isinstance(load_or_create_key(tmp_path), ChildSigner)
    assert capsys.readouterr().err.count("this one, with the bundle in it, does") == 1


PROGRAM = """
import gc, sys
from pathlib import Path
if sys.argv[2] == "child":
    from monai_ethics.provenance.keys.delegate import start_signer
    start_signer()
from monai_ethics.provenance.log.writing.writer import EvidenceLog
with EvidenceLog.open(Path(sys.argv[1]), run_id="a") as log:
    log.append("note", {"a": 1})
    log.seal()
    gc.collect()
    print("sealed", flush=True)
    sys.stdin.read()
"""


def _memory(pid):
    """What a process holds, as another one that may look into it sees it."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in place.split("-"))
                memory.seek(start)
                yield memory.read(end - start)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
@pytest.mark.parametrize("signer", ["child", "itself"])
def test_the_memory_of_the_process_that_runs_the_bundle_does_not_hold_the_key(tmp_path, hand_over, signer):
    from cryptography.hazmat.primitives import serialization

    hand_over()
    text = os.environ[environment.SIGNING_KEY]
    raw = serialization.load_pem_private_key(text.encode(), None).private_bytes_raw()
    needles = [raw, text.splitlines()[1].encode()]
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "e"), signer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"sealed\n"
        try:
            found = {place for part in _memory(process.pid) for place, needle in enumerate(needles) if needle in part}
        finally:
            process.stdin.close()
    assert found == (set() if signer == "child" else {0, 1})  # the control shows that the search can find them
    assert verify_evidence(tmp_path / "e").key == "persistent"
