# SPDX-License-Identifier: Apache-2.0
"""A chain of endorsements is followed as far as it holds, and no further."""

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.keys.rotation import Link, endorse, key_entries, read_chain, rotate_key, trusted_through
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog


def keys(number):
    return [SigningKey.generate() for _ in range(number)]


def first(key):
    return {"public_key": key.public.hex(), "previous": None, "endorsement": None}


def test_trust_reaches_along_the_chain_and_not_back():
    a, b, c = keys(3)
    bodies = [first(a), endorse(a, b.public), endorse(b, c.public)]
    assert trusted_through(bodies, [a.public]) == {a.public, b.public, c.public}
    assert trusted_through(bodies, [bytes.fromhex(fingerprint(a.public))]) == {a.public, b.public, c.public}
    assert trusted_through(bodies, [b.public]) == {b.public, c.public}
    assert trusted_through(reversed(bodies), [c.public]) == {c.public}
    assert trusted_through(bodies, []) == set()


def test_an_endorsement_by_another_key_does_not_count():
    a, b, thief = keys(3)
    forged = {**endorse(thief, b.public), "previous": a.public.hex()}
    assert trusted_through([first(a), forged], [a.public]) == {a.public}
    assert trusted_through([first(a), endorse(thief, b.public)], [a.public]) == {a.public}


def test_a_replayed_endorsement_of_another_pair_does_not_count():
    a, b, thief = keys(3)
    replayed = {**endorse(a, b.public), "public_key": thief.public.hex()}
    assert trusted_through([first(a), replayed], [a.public]) == {a.public}
    turned = {**endorse(a, b.public), "public_key": a.public.hex(), "previous": b.public.hex()}
    assert trusted_through([turned], [b.public]) == {b.public}


def test_a_signature_of_another_domain_is_no_endorsement():
    a, b = keys(2)
    bare = a.sign(a.public + b.public)
    headed = a.sign(b"monai_ethics.head/1\n" + a.public + b.public)
    for signature in (bare, headed):
        body = {**endorse(a, b.public), "endorsement": signature.hex()}
        assert trusted_through([body], [a.public]) == {a.public}


def test_a_chain_with_a_gap_ends_there():
    a, b, c = keys(3)
    bodies = [first(a), {**endorse(a, b.public), "endorsement": None}, endorse(b, c.public)]
    assert trusted_through(bodies, [a.public]) == {a.public}


def test_a_cycle_ends():
    a, b = keys(2)
    bodies = [endorse(a, b.public), endorse(b, a.public), endorse(a, a.public)]
    assert trusted_through(bodies, [b.public]) == {a.public, b.public}


def test_a_revoked_key_neither_counts_nor_endorses():
    a, b, c = keys(3)
    bodies = [first(a), endorse(a, b.public), endorse(b, c.public)]
    for revoked, left in ((a, set()), (b, {a.public}), (c, {a.public, b.public})):
        assert trusted_through(bodies, [a.public], revoked={fingerprint(revoked.public)}) == left
    assert trusted_through(bodies, [a.public, c.public], revoked=[fingerprint(b.public).upper()]) == {
        a.public,
        c.public,
    }


anything = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.lists(st.text())
hexes = st.binary(min_size=30, max_size=34).map(bytes.hex) | st.binary(min_size=64, max_size=64).map(bytes.hex)
bodies_of_any_form = st.lists(
    st.dictionaries(st.sampled_from(["public_key", "previous", "endorsement", "key"]), anything | hexes) | anything
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(bodies_of_any_form)
def test_bodies_of_any_form_win_no_trust(bodies):
    key = SigningKey.generate()
    assert trusted_through(bodies, [key.public]) == set()
    assert trusted_through([*bodies, first(key)], [key.public]) == {key.public}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 127), st.integers(1, 15), st.sampled_from(["public_key", "previous", "endorsement"]))
def test_no_changed_digit_keeps_an_endorsement(place, step, name):
    a, b = keys(2)
    body = endorse(a, b.public)
    place %= len(body[name])
    digit = format((int(body[name][place], 16) + step) % 16, "x")
    changed = {**body, name: body[name][:place] + digit + body[name][place + 1 :]}
    assert b.public not in trusted_through([changed], [a.public])


def test_rotation_leaves_a_new_private_key_and_the_old_public_one(key_home, tmp_path):
    old = load_or_create_key(tmp_path)
    before = (key_home / "ed25519.pem").read_bytes()
    link = rotate_key(key_home)
    new = load_or_create_key(tmp_path)
    assert (link.previous, link.public_key) == (old.public.hex(), new.public.hex())
    assert read_chain(key_home) == [link]
    assert stat.S_IMODE((key_home / "ed25519.pem").stat().st_mode) == 0o600
    assert not any(before in path.read_bytes() for path in key_home.iterdir())
    names = {path.name for path in key_home.iterdir()}
    assert names - {".lock"} == {
        "ed25519.pem",
        "ed25519.pub.pem",
        "endorsements.json",
        f"ed25519-{fingerprint(old.public)[:16]}.pub.pem",
    }


def test_rotation_needs_a_key_of_the_home(key_home, tmp_path):
    with pytest.raises(InputError, match="got none"):
        rotate_key(key_home)
    load_or_create_key(tmp_path)
    (key_home / "ed25519.pem").chmod(0o644)
    with pytest.raises(InputError, match="key home that can be used"):
        rotate_key(key_home)


@pytest.mark.parametrize("step", range(5))
def test_a_crash_in_a_rotation_leaves_a_key_and_a_chain_that_holds(key_home, tmp_path, monkeypatch, step):
    from monai_ethics.provenance.keys import rotation

    old = load_or_create_key(tmp_path)
    calls, write = [], rotation.write_atomically

    def stumbling(function):
        def called(*args, **kwargs):
            calls.append(function)
            if len(calls) > step:
                raise KeyboardInterrupt
            return function(*args, **kwargs)

        return called

    monkeypatch.setattr(rotation, "write_atomically", stumbling(write))
    monkeypatch.setattr(rotation, "_swap", stumbling(rotation._swap))
    with pytest.raises(KeyboardInterrupt):
        rotate_key(key_home)
    monkeypatch.undo()
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(key_home))
    present = load_or_create_key(tmp_path)
    assert present.storage == "persistent"
    assert (present.public == old.public) == (step < 4)
    assert rotate_key(key_home).previous == present.public.hex()
    after = load_or_create_key(tmp_path)
    bodies = key_entries(after, old.public.hex(), home=key_home)
    assert after.public in trusted_through(bodies, [old.public])
    assert sorted(path.name for path in key_home.glob("*.next")) == []


def test_a_log_that_goes_on_under_a_new_key_carries_every_endorsement(key_home, tmp_path):
    folder = tmp_path / "e"
    with EvidenceLog.open(folder, run_id="a"):
        first_key = load_or_create_key(folder).public
    rotate_key(key_home)
    rotate_key(key_home)
    with EvidenceLog.open(folder, run_id="b"):
        pass
    with EvidenceLog.open(folder, run_id="c"):
        pass
    bodies = [entry.body for entry in read_entries(folder) if entry.kind == "key"]
    assert [body["previous"] for body in bodies] == [None, first_key.hex(), bodies[1]["public_key"]]
    assert all(set(body) == {"public_key", "fingerprint", "key", "previous", "endorsement"} for body in bodies)
    assert trusted_through(bodies, [first_key]) == {bytes.fromhex(body["public_key"]) for body in bodies}
    assert verify_evidence(folder).log_intact


def test_a_new_log_after_rotations_is_trusted_through_every_former_key(key_home, tmp_path):
    formers = [load_or_create_key(tmp_path).public]
    formers += [bytes.fromhex(rotate_key(key_home).public_key) for _ in range(2)]
    with EvidenceLog.open(tmp_path / "e", run_id="a"):
        pass
    for former in formers:
        assert verify_evidence(tmp_path / "e", trusted=[former]).status == "trusted"
    stranger = SigningKey.generate().public
    assert verify_evidence(tmp_path / "e", trusted=[stranger]).status == "wrong-key"


def test_a_log_that_had_an_ephemeral_key_in_between_is_trusted_through_the_former_key(key_home, tmp_path):
    folder, former = tmp_path / "e", load_or_create_key(tmp_path).public
    with EvidenceLog.open(folder, run_id="a"):
        pass
    passing = SigningKey.generate()
    with EvidenceLog.open(folder, run_id="b", key=passing):
        pass
    assert verify_evidence(folder, trusted=[former]).status == "wrong-key"
    rotate_key(key_home)
    with EvidenceLog.open(folder, run_id="c"):
        pass
    assert verify_evidence(folder, trusted=[former]).status == "trusted"
    assert verify_evidence(folder, trusted=[passing.public]).status == "wrong-key"


def test_a_key_of_another_home_or_of_no_home_carries_no_endorsement(key_home, tmp_path):
    load_or_create_key(tmp_path)
    rotate_key(key_home)
    for storage in ("persistent", "ephemeral"):
        (body,) = key_entries(SigningKey.generate(storage=storage), None, home=key_home)
        assert (body["previous"], body["endorsement"]) == (None, None)


def test_a_log_of_another_key_gets_no_endorsement_by_that_key(key_home, tmp_path):
    folder, other = tmp_path / "e", SigningKey.generate()
    with EvidenceLog.open(folder, run_id="a", key=other):
        pass
    own = load_or_create_key(tmp_path).public
    rotate_key(key_home)
    with EvidenceLog.open(folder, run_id="b"):
        pass
    bodies = [entry.body for entry in read_entries(folder) if entry.kind == "key"]
    assert [body["previous"] for body in bodies] == [None, own.hex()]
    assert trusted_through(bodies, [other.public]) == {other.public}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"links": 1}', b'{"links": [{"a": 1}]}', b'{"links": [[]]}'])
def test_a_chain_file_of_another_form_is_no_chain(key_home, tmp_path, text):
    key = load_or_create_key(tmp_path)
    (key_home / "endorsements.json").write_bytes(text)
    assert read_chain(key_home) == []
    assert len(key_entries(key, "0" * 64, home=key_home)) == 1


def test_a_linked_chain_file_is_no_chain(key_home, tmp_path):
    load_or_create_key(tmp_path)
    rotate_key(key_home)
    (key_home / "endorsements.json").rename(tmp_path / "other")
    (key_home / "endorsements.json").symlink_to(tmp_path / "other")
    assert read_chain(key_home) == []


def test_a_link_with_broken_texts_does_not_hold():
    assert not Link("xx", "yy", "zz").holds
