# SPDX-License-Identifier: Apache-2.0
"""Every order of a head, its witness and the end of the key that signed it: what a reader is told."""

import pytest

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.keys.home import key_home, load_or_create_key
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.keys.revocation import revoke, revoked_in
from monai_ethics.provenance.keys.rotation import rotate_key
from monai_ethics.provenance.log.tree.head import read_head
from monai_ethics.provenance.log.verifying.audit import audit
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.site import open_site
from monai_ethics.provenance.log.writing.witness import witness
from monai_ethics.provenance.log.writing.writer import EvidenceLog


class Lab:
    """A key, a site log and one folder; each step is named by what it does."""

    def __init__(self, place):
        self.folder, self.site = place / "e", place / "site"
        with open_site(self.site) as log:
            log.append("note", {})
        self.old = load_or_create_key(self.site)
        self.new = None

    def sign(self, key=None):
        """A run whose witness fails."""
        with EvidenceLog.open(self.folder, run_id="run", key=key or (self.old if self.new is None else None)) as log:
            log.append("note", {})

    def go_on_with_the_old_key(self):
        self.sign(self.old)

    def see(self):
        witness(self.site, read_head(self.folder), log_id=audit(self.folder).log_id)

    def rotate(self):
        self.new = bytes.fromhex(rotate_key(key_home()).public_key)

    def end(self, reason):
        assert revoke(self.site, fingerprint(self.old.public), reason=reason)

    def read(self, *, trusted=None, site=True):
        return verify_evidence(
            self.folder,
            trusted=[self.old.public, self.new] if trusted is None else trusted,
            site=self.site if site else None,
        )


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


# steps around the end of the key, and whether the folder is trusted after it: of a key in other hands, of one put away
ORDERS = {
    "sign see END": (True, True),
    "sign END": (False, True),
    "sign END see": (False, False),
    "END sign": (False, True),  # nobody can tell it from the one before
    "END sign see": (False, False),
    "sign see sign END": (False, True),
    "sign see END sign": (False, True),
    "sign see END sign see": (False, False),
    "sign END see sign": (False, False),  # after something that was seen after the end
}


@pytest.mark.parametrize("reason", ["compromised", "lost", "superseded", "retired"])
@pytest.mark.parametrize("order", ORDERS)
def test_what_counts_is_the_order_that_the_site_log_shows(lab, order, reason):
    steps = {"sign": lab.go_on_with_the_old_key, "see": lab.see, "END": lambda: (lab.rotate(), lab.end(reason))}
    for step in order.split():
        steps[step]()
    mild = reason in ("superseded", "retired")
    counts = ORDERS[order][mild]
    found = lab.read()
    assert (found.status, found.signer_revoked, found.signer_trusted) == (
        ("trusted", False, True) if counts else ("wrong-key", True, False)
    )
    assert lab.read(trusted=[]).status == ("intact-signer-unknown" if counts else "wrong-key")
    assert lab.read(site=False).status == "trusted"  # no end of a key is visible without the site log
    said = ("was retired" if mild else "was revoked", "That this was signed before is not shown." in found.text)
    assert said[0] in found.text
    assert said[1] is (mild and counts and not order.endswith("see END"))


def test_after_the_end_the_new_key_goes_on_and_a_retired_one_still_vouches_for_it(lab):
    lab.sign()
    lab.see()
    lab.rotate()
    lab.end("superseded")
    lab.sign()
    lab.see()
    found = lab.read(trusted=[lab.old.public])
    assert (found.status, found.signer_trusted) == ("trusted", True)
    assert "a key that you do not trust" not in found.text
    assert verify_evidence(lab.site, trusted=[lab.old.public]).status == "trusted"


@pytest.mark.parametrize(("seen", "reason", "told"), [
    (True, "compromised", False), (False, "compromised", True), (True, "retired", False), (False, "retired", False),
])  # fmt: skip
def test_entries_before_the_new_key_are_doubted_where_nobody_saw_them_in_time(lab, seen, reason, told):
    lab.sign()
    if seen:
        lab.see()
    lab.rotate()
    lab.end(reason)
    lab.sign()
    lab.see()
    found = lab.read()
    assert found.status == "trusted"
    assert ("signed by a key that you do not trust before" in found.text) is told


def test_what_a_retired_key_signed_too_late_is_doubted_under_the_next_key(lab):
    lab.rotate()
    lab.end("retired")
    lab.go_on_with_the_old_key()
    lab.see()
    lab.sign()
    found = lab.read()
    assert found.status == "trusted"
    assert "signed by a key that you do not trust before" in found.text


def test_a_retired_key_may_turn_out_to_be_stolen_and_not_the_other_way_round(lab):
    lab.sign()
    lab.rotate()
    lab.end("retired")
    assert lab.read().status == "trusted"
    lab.end("compromised")
    assert revoked_in(lab.site) == {fingerprint(lab.old.public): "compromised"}
    assert lab.read().status == "wrong-key"
    for reason in ("retired", "superseded", "lost"):
        assert not revoke(lab.site, fingerprint(lab.old.public), reason=reason)


def test_a_reason_of_another_version_takes_all_trust(lab):
    lab.sign()
    lab.rotate()
    with open_site(lab.site) as log:
        log.append("key_revocation", {"fingerprint": fingerprint(lab.old.public), "reason": "something new"})
    assert lab.read().status == "wrong-key"


def test_a_head_that_claims_to_cover_more_than_it_does_witnesses_no_later_one(lab):
    lab.sign()
    with open_site(lab.site) as log:
        body = {"log_id": audit(lab.folder).log_id, "head": read_head(lab.folder).fingerprint, "size": 10**9}
        log.append("witness", {**body, "root": "0" * 64, "run_id": "run", "signer": "0" * 64})
    lab.rotate()
    lab.end("compromised")
    assert lab.read().status == "trusted"
    lab.go_on_with_the_old_key()
    assert lab.read().status == "wrong-key"


@pytest.mark.parametrize("reason", ["compromised", "retired"])
def test_a_site_log_that_an_ended_key_signs_on_is_refused(lab, reason):
    lab.sign()
    lab.rotate()
    lab.end(reason)
    with EvidenceLog.open(lab.site, run_id="later", key=lab.old):  # by a program that does not ask the site log
        pass
    assert verify_evidence(lab.site, trusted=[lab.old.public, lab.new]).status == "wrong-key"
    with pytest.raises(GateError, match="got 'wrong-key'"):
        lab.read()


@pytest.mark.parametrize("reason", ["compromised", "retired"])
def test_a_run_whose_key_ends_meanwhile_is_sealed_and_signs_nothing_in_the_site_log(lab, reason, capfd):
    with EvidenceLog.open(lab.folder, run_id="long", key=lab.old, site=lab.site) as log:
        log.append("note", {})
        lab.rotate()
        lab.end(reason)
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "the site log does not witness it. Expected a signing key that counts" in told
    assert lab.read().status == ("trusted" if reason == "retired" else "wrong-key")
    lab.sign()
    lab.see()  # the next run's witness covers it
    assert lab.read().status == "trusted"
    with pytest.raises(InputError, match="the site log revoked"):
        EvidenceLog.open(lab.folder, run_id="again", key=lab.old, site=lab.site)
