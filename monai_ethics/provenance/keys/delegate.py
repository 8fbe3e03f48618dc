# SPDX-License-Identifier: Apache-2.0
"""Signing by a child process, started before a bundle's code is imported: this process never holds the key."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys import environment
from monai_ethics.provenance.keys.child import MOST, OK, REPLY, REQUEST
from monai_ethics.provenance.keys.home import key_home, sign_with, warn_ephemeral
from monai_ethics.provenance.keys.key import EPHEMERAL, SigningKey

__all__ = ["ChildSigner", "signing_child", "start_signer", "stop_signer"]

PATIENCE = 30.0  # seconds for one signature
# isolated from the current folder and PYTHONPATH; where this package and its needs lie is said last, for any install
_PROGRAM = "import sys; sys.path += sys.argv[1:]; from monai_ethics.provenance.keys.child import main; main()"
_ALONE = (
    "monai-ethics: the process that held the signing key has ended: "
    "signing goes on with an ephemeral key that nobody can recognize later."
)
_NO_CHILD = "monai-ethics: no process could be started to hold the signing key: this one, with the bundle in it, does."
_PRESENT: dict[Path, ChildSigner] = {}  # by key home


class _LostError(Exception):
    """The child does not answer."""


class ChildSigner:
    """A signer (`keys.key.Signer`) whose key lives in a child process.

    Calls may come from several threads, and from signal handlers. If the child has ended, one warning is printed and
    an ephemeral key takes its place: `public` and `storage` then change.

    Args:
        process: the child, with pipes for its input and output.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.users = 0
        self._process, self._pid = process, os.getpid()
        self._lock = threading.RLock()
        self._number = 0
        self._buffer = bytearray()
        self._replies: dict[int, tuple[bytes, bytes]] = {}
        self._facts: dict[str, str] | None = None
        self._own: SigningKey | None = None

    @classmethod
    def start(cls) -> ChildSigner:
        """Start the child; returns before it is ready.

        Raises:
            OSError: if no process can be started.
        """
        if not sys.executable:
            raise OSError("no interpreter")
        command = [sys.executable, "-I", "-c", _PROGRAM, *_homes()]
        pipe = subprocess.PIPE
        null = subprocess.DEVNULL
        return cls(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, bufsize=0, start_new_session=True))

    def wait_ready(self) -> bool:
        """Wait until the child has read the key; False if it ended, and this signer is of no use.

        Raises:
            InputError: if there is a key that it cannot open.
        """
        try:
            status, content = self._reply(0)
        except _LostError:
            return False
        if status != OK:
            raise InputError(content.decode())
        return True

    @property
    def public(self) -> bytes:
        """Raw public key, 32 bytes."""
        facts = self._known()
        return self._own.public if self._own is not None else bytes.fromhex(facts["public"])

    @property
    def storage(self) -> str:
        """``"persistent"`` or ``"ephemeral"``."""
        facts = self._known()
        return self._own.storage if self._own is not None else facts["storage"]

    def sign(self, message: bytes) -> bytes:
        """Signature over a head or a statement.

        Raises:
            InputError: if it is something else, or this is a forked copy of the process.
        """
        self._refuse_fork()
        if not message or len(message) > MOST:
            raise InputError("Expected a message of at most 4 MB to sign: got another. Sign a digest of it.")
        with self._lock:
            if self._own is None:
                try:
                    status, content = self._ask(message)
                except _LostError:
                    self._replace()
                else:
                    if status != OK:
                        raise InputError(content.decode())
                    return content
            assert self._own is not None
            return self._own.sign(message)

    def stop(self) -> None:
        """Let the child end."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if self._pid != os.getpid():
            self._process.returncode = 0  # of another process, and not this one's to wait for
            return
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _known(self) -> dict[str, str]:
        """What the child says of its key, asked once; a key is made then where there was none."""
        self._refuse_fork()
        with self._lock:
            if self._facts is None:
                try:
                    facts = json.loads(self._ask(b"")[1])
                except _LostError:
                    facts = {}
                    self._replace()
                if facts.get("kept") == EPHEMERAL:
                    warn_ephemeral()
                self._facts = facts
            return self._facts

    def _refuse_fork(self) -> None:
        if self._pid != os.getpid():
            raise InputError("Expected the process that started the signer: got a forked copy. Sign in the first one.")

    def _replace(self) -> None:
        if self._own is None:
            self._own = SigningKey.generate()
            print(_ALONE, file=sys.stderr)

    def _ask(self, message: bytes) -> tuple[bytes, bytes]:
        self._number += 1
        number = self._number
        self._send(REQUEST.pack(number, len(message)) + message)
        return self._reply(number)

    def _send(self, data: bytes) -> None:
        stream, view = self._process.stdin, memoryview(data)
        try:
            while view:
                assert stream is not None
                view = view[os.write(stream.fileno(), view) :]
        except (OSError, ValueError) as error:
            raise _LostError from error
        finally:
            if 0 < len(view) < len(data):  # an interrupt left half a request: nothing after it would be understood
                self._process.kill()

    def _reply(self, number: int) -> tuple[bytes, bytes]:
        """The reply of this number; those that an interrupted call left behind are kept aside."""
        while number not in self._replies:
            stream = self._process.stdout
            try:
                assert stream is not None
                poll = select.poll()
                poll.register(stream, select.POLLIN)
                data = os.read(stream.fileno(), 65536) if poll.poll(PATIENCE * 1000) else b""
            except (OSError, ValueError) as error:
                raise _LostError from error
            if not data:
                raise _LostError
            self._buffer += data
            self._sort()
        return self._replies.pop(number)

    def _sort(self) -> None:
        while len(self._buffer) >= REPLY.size:
            number, status, length = REPLY.unpack_from(self._buffer)
            end = REPLY.size + length
            if len(self._buffer) < end:
                return
            self._replies[number] = (status, bytes(self._buffer[REPLY.size : end]))
            del self._buffer[:end]


def _homes() -> list[str]:
    """Folders from which this process imported what the child needs."""
    import cryptography
    import rfc8785

    import monai_ethics

    files = (monai_ethics.__file__, cryptography.__file__, rfc8785.__file__)
    return list(dict.fromkeys(str(Path(file).parents[1]) for file in files if file))


def start_signer() -> Path | None:
    """Start a child that signs for this process, or join its other users; the environment then holds no secret.

    Other ranks than the first lose the secrets unread. Where no child can be started, this process signs itself; so
    does one that has read a secret of the environment before, which a child could not get any more.

    Returns:
        What `stop_signer` is given at the end; ``None`` if there is no child.

    Raises:
        InputError: if there is a key that cannot be opened.
    """
    if os.environ.get("RANK", "0") not in ("", "0"):
        _forget_all()
        return None
    if environment.held():
        return None
    home = key_home().absolute()
    signer = _PRESENT.get(home) or _started()
    if signer is None:
        print(_NO_CHILD, file=sys.stderr)
        return None
    if environment.given():
        signer.users += 1  # kept until this process ends: nothing could open that key again
    _forget_all()
    signer.users += 1
    _PRESENT[home] = signer
    sign_with(signer, home=home)
    return home


def _started() -> ChildSigner | None:
    try:
        signer = ChildSigner.start()
    except OSError:
        return None
    ready = False
    try:
        ready = signer.wait_ready()
    finally:
        if not ready:
            signer.stop()
    return signer if ready else None


def stop_signer(home: Path | None) -> None:
    """Leave the child; with its last user it ends, and logs opened from then on read the key themselves."""
    signer = _PRESENT.get(home) if home is not None else None
    if signer is None or home is None:
        return
    signer.users -= 1
    if signer.users <= 0:
        del _PRESENT[home]
        sign_with(None, home=home)
        signer.stop()


@contextlib.contextmanager
def signing_child() -> Iterator[None]:
    """`start_signer` for a block."""
    home = start_signer()
    try:
        yield
    finally:
        stop_signer(home)


def _forget_all() -> None:
    for name in (environment.SIGNING_KEY, environment.KEY_PASSPHRASE):
        environment.forget(name)


def _end_all() -> None:
    """At the end of the process; and a forked one, such as a data loader's worker, keeps no pipe and signs nothing."""
    for home, signer in _PRESENT.items():
        sign_with(None, home=home)
        signer.stop()
    _PRESENT.clear()


os.register_at_fork(after_in_child=_end_all)
atexit.register(_end_all)
