# SPDX-License-Identifier: Apache-2.0
"""The process that holds the signing key while a bundle's code runs in another one.

It reads the key itself, signs only what begins like a head or a statement, and ends when its input closes. A request
is number and length (4 bytes each, big endian) and the message; an empty one asks for the public key, which is made
where there is none. A reply is number, status and length, and the signature, facts as JSON, or one sentence.
Endorsements of another key are not signed here: a bundle could win a lasting key with one.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import struct
import sys
from typing import BinaryIO

from monai_ethics.errors import EthicsError
from monai_ethics.provenance.keys.home import OwnKey, key_home, open_key

__all__ = ["MOST", "OK", "REFUSED", "REPLY", "REQUEST", "may_sign", "serve"]

REQUEST, REPLY = struct.Struct("!II"), struct.Struct("!IcI")
OK, REFUSED = b"k", b"r"
MOST = 4_000_000  # bytes of a message
DOMAINS = (b"monai_ethics.head/1\n", b"monai_ethics.resume/1\n")
STATEMENT_TYPE = b"application/vnd.in-toto+json"
_NOT_OURS = "Expected a head or a statement to sign: got another message. Nothing else is signed during a run."
_PR_SET_DUMPABLE = 4


def may_sign(message: bytes) -> bool:
    """Whether a message is one of ours, by its first bytes: a head or a resume file of a log, or a DSSE statement."""
    if message.startswith(DOMAINS):
        return True
    words = message.split(b" ", 4)
    return len(words) == 5 and words[:3] == [b"DSSEv1", b"%d" % len(STATEMENT_TYPE), STATEMENT_TYPE]


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more.

    Args:
        requests: unbuffered or buffered binary input.
        replies: binary output.
    """

    def reply(number: int, status: bytes, content: bytes) -> None:
        replies.write(REPLY.pack(number, status, len(content)) + content)
        replies.flush()

    home, own = key_home().absolute(), None
    try:
        with contextlib.suppress(FileNotFoundError):
            own = open_key(home, create=False)
        reply(0, OK, b"")
    except EthicsError as error:
        reply(0, REFUSED, str(error).encode())
        return
    while len(start := requests.read(REQUEST.size)) == REQUEST.size:
        number, length = REQUEST.unpack(start)
        message = requests.read(length) if length <= MOST else b""
        if len(message) != length:
            return
        own = own or open_key(home)
        content = _answer(own, message)
        reply(number, OK if content else REFUSED, content or _NOT_OURS.encode())


def _answer(own: OwnKey, message: bytes) -> bytes:
    if not message:
        facts = {"public": own.key.public.hex(), "storage": own.key.storage, "kept": own.kept}
        return json.dumps(facts).encode()
    return own.key.sign(message) if may_sign(message) else b""


def main() -> None:
    """Run as a process: no signal of the terminal ends it, and other processes of the user cannot look into it."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    with contextlib.suppress(BrokenPipeError):  # nobody is left to be answered
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
