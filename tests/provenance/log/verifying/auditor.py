# SPDX-License-Identifier: Apache-2.0
"""An auditor's own program, written from docs/reference/evidence-format.md: standard library and `openssl` alone.

python auditor.py FOLDER TRUSTED_PUBLIC_KEY_HEX
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def sha(data):
    return hashlib.sha256(data).digest()


def root(leaves):
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha(b"")
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha(b"\x01" + root(leaves[:half]) + root(leaves[half:]))


def signed(head):
    unsigned = {key: value for key, value in head.items() if key != "signature"}
    plain = json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    with tempfile.TemporaryDirectory() as place:
        key, message, signature = (Path(place, name) for name in ("key", "message", "signature"))
        key.write_bytes(bytes.fromhex("302a300506032b6570032100" + head["public_key"]))  # RFC 8410
        message.write_bytes(b"monai_ethics.head/1\n" + plain.encode())
        signature.write_bytes(bytes.fromhex(head["signature"]))
        words = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin", "-in", message]
        return subprocess.run([*words, "-sigfile", signature], capture_output=True, check=False).returncode == 0


def beside(folder, files, payloads):
    for name, digest in files.items():
        if sha((folder / name).read_bytes()).hex() != digest:
            yield f"{name} is another file"
    for name in payloads:
        path = folder / "private" / f"{name}.bin"
        if path.exists() and sha(b"monai_ethics.payload/1\x00" + path.read_bytes()).hex() != name:
            yield "a payload is another"


def fits(head, leaves, previous):
    return (head["size"], head["root"], head["previous"]) == (len(leaves), root(leaves).hex(), previous)


def faults(folder, trusted):
    head, lines = json.loads((folder / "head.json").read_bytes()), (folder / "log.jsonl").read_bytes().split(b"\n")
    leaves, previous, last, payloads = [], None, {"key": {}, "report": {"files": {}}}, []
    for number, line in enumerate(lines[:-1]):
        entry = json.loads(line)
        body, kind = entry["body"], entry["kind"]
        if entry["seq"] != number:
            yield f"entry {number} is another"
        if kind == "head":
            if not fits(body, leaves, previous) or not signed(body):
                yield f"the head at entry {number} does not fit"
            previous = sha(json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hex()
        last[kind] = body
        payloads += [body["commitment"]] if kind == "payload" else []
        leaves.append(sha(b"\x00" + line))
    if lines[-1] or not fits(head, leaves, previous):
        yield "the head does not cover the log"
    if not signed(head) or not head["public_key"] == last["key"]["public_key"] == trusted:
        yield "the head is not signed by the trusted key"
    yield from beside(folder, last["report"]["files"], payloads)


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1]), sys.argv[2]))
    print("\n".join(found) or "as signed")
    sys.exit(1 if found else 0)
