# SPDX-License-Identifier: Apache-2.0
"""A bundle's code looks for the signing key of the run that it is part of."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys import delegate
from monai_ethics.provenance.keys.environment import SIGNING_KEY
from monai_ethics.provenance.keys.key import SigningKey, private_pem
from monai_ethics.provenance.log.verifying.verify import verify_evidence

LOOK = '''
import gc, json, os
from pathlib import Path


def look(where):
    """Where this process holds one of the secrets, which stand in the file turned around."""
    secrets = [bytes.fromhex(text[::-1]) for text in json.loads(Path("secrets.json").read_text())]
    own = {id(secret) for secret in secrets}
    gc.collect()
    found = set()
    for thing in gc.get_objects():
        near = gc.get_referents(thing)
        # dicts of plain values are not tracked: their values are looked at from here
        for part in (thing, *near, *(value for one in near if type(one) is dict for value in one.values())):
            data = part.encode("utf-8", "replace") if isinstance(part, str) else part
            if isinstance(data, (bytes, bytearray)) and id(part) not in own and any(one in data for one in secrets):
                found.add("an object")
            key = getattr(part, "private_bytes_raw", None) if type(part).__name__ == "Ed25519PrivateKey" else None
            if key is not None and key() in secrets:
                found.add("a key")
    for name in ("environ", "cmdline"):
        if any(one in Path("/proc/self", name).read_bytes() for one in secrets):
            found.add(name)
    if any(one in value for value in os.environb.values() for one in secrets):
        found.add("os.environ")
    Path(where).write_text(json.dumps(sorted(found)))
'''
WITHOUT = """
import contextlib, sys
from monai_ethics.provenance.keys import delegate
delegate.start_signer = lambda: None
from monai_ethics.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def searched(base, write_bundle, tmp_path):
    """`searched(*start)` runs a bundle that searches, under a planted key; gives what it found and the public key."""

    def run(*start):
        base["imports"].append("$import look")
        base["validate"]["dataloader"]["num_workers"] = 2
        base["run"] = ["$look.look('before.json')", "$@validate#evaluator.run()", "$look.look('after.json')"]
        config = write_bundle(base)
        key = SigningKey.generate()
        text = private_pem(key.private)
        secrets = [key.private.private_bytes_raw(), text.splitlines()[1]]
        Path("look.py").write_text(LOOK)
        Path("secrets.json").write_text(json.dumps([secret.hex()[::-1] for secret in secrets]))
        env = {**os.environ, SIGNING_KEY: text.decode(), "MONAI_ETHICS_KEY_HOME": str(tmp_path / "keys")}
        words = [sys.executable, *start, "run", "--config_file", config]
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "ephemeral" not in done.stderr
        assert verify_evidence(Path("eval/evidence"), trusted=[key.public]).status == "trusted"
        assert not (tmp_path / "keys").exists()
        return [json.loads(Path(name).read_text()) for name in ("before.json", "after.json")]

    return run


@pytest.mark.bundle
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_code_of_the_bundle_finds_no_key(searched):
    assert searched("-m", "monai_ethics") == [[], []]


@pytest.mark.bundle
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_same_code_finds_the_key_of_a_process_that_signs_itself(searched):
    _before, after = searched("-c", WITHOUT)
    assert {"an object", "a key"} <= set(after)


def test_a_workflow_has_the_child_as_long_as_it_lives(base, write_bundle, make, fakes, tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    workflow = make(write_bundle(base))
    process = delegate._PRESENT[tmp_path / "keys"]._process
    del workflow
    gc.collect()
    assert tmp_path / "keys" not in delegate._PRESENT
    assert process.returncode == 0


def test_a_workflow_whose_key_cannot_be_opened_is_refused_as_it_is_made(base, write_bundle, make, monkeypatch):
    monkeypatch.setenv(SIGNING_KEY, "no key")
    with pytest.raises(InputError, match="Ed25519 private key"):
        make(write_bundle(base))
