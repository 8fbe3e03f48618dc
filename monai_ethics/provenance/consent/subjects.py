# SPDX-License-Identifier: Apache-2.0
"""People in the site log: tokens that only the site can compute, one salt a person, so that one can be forgotten."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
from pathlib import Path

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.log.files.storage import private_folder, read_file, remove_files, write_atomically
from monai_ethics.provenance.records.patients import PATIENT, patient_identifier

__all__ = ["SALTS_NAME", "Subjects"]

SALTS_NAME = "subjects"
_DOMAIN = b"monai_ethics.subject/1\x00"
_SALT_BYTES = 32


class Subjects:
    """Tokens of people in one site log.

    A token is an HMAC of the person's pseudonym under a salt of that person alone. With the salt destroyed nobody,
    the site included, can tell which entries of the log speak of the person.

    Args:
        site: the site log.

    Raises:
        ProvenanceError: if its pseudonym key is gone: then nobody can be found in it any more.

    References: design after GDPR Art. 17 and 7(3): an append-only log forgets by destroying keys.
    """

    def __init__(self, site: Path) -> None:
        key = read_pseudonym_key(Path(site))
        if key is None:
            raise ProvenanceError(
                "Expected a site log with its pseudonym key: got none. Give the folder that holds the consents."
            )
        self._key = key
        self._folder = Path(site) / PRIVATE_NAME / SALTS_NAME

    def token(self, patient_id: str, *, issuer: str = "") -> str | None:
        """Token of exactly this person, or ``None`` where the site never met the person, or forgot.

        Raises:
            InputError: if the number is empty.
            ProvenanceError: if the salt is damaged.
        """
        return self._token(self._person(patient_id, issuer))

    def tokens(self, patient_id: str, *, issuer: str = "") -> tuple[str, ...]:
        """Tokens of everybody whom this may be, the exact person first.

        Files often leave out who gave a number out. A person recorded without an issuer may be this one, and one asked
        for without an issuer may be anybody of that number: a withdrawal must not slip through that gap.
        """
        people = [self._person(patient_id, issuer), self._person(patient_id, "")]
        if not issuer.strip():
            people += self._namesakes(patient_id)
        found = (self._token(person) for person in dict.fromkeys(people))
        return tuple(token for token in found if token is not None)

    def enroll(self, patient_id: str, *, issuer: str = "") -> str:
        """Token of a person, who gets a salt on first use; only the writer of the site log calls this."""
        person = self._person(patient_id, issuer)
        try:
            private_folder(self._folder)
            with contextlib.suppress(FileExistsError):
                write_atomically(self._path(person), os.urandom(_SALT_BYTES), mode=0o600, replace=False)
            if issuer.strip():
                self._list(patient_id, {*self._namesakes(patient_id), person})
        except OSError as error:
            raise InputError(
                f"Expected a site log that can be written: got '{error.strerror}'. Choose another folder."
            ) from error
        token = self._token(person)
        assert token is not None  # written above
        return token

    def forget(self, patient_id: str, *, issuer: str = "") -> bool:
        """Destroy a person's salt; whether there was one. What a file system or a backup keeps is beyond this."""
        person = self._person(patient_id, issuer)
        path = self._path(person)
        if not path.exists():
            return False
        # the salt goes last: cut off before that, the person is still known, and can be forgotten again
        self._list(patient_id, set(self._namesakes(patient_id)) - {person})
        remove_files([path])
        return True

    def _person(self, patient_id: str, issuer: str) -> str:
        return pseudonym_of(self._key, PATIENT, patient_identifier(patient_id, issuer))

    def _path(self, person: str) -> Path:
        return self._folder / f"{pseudonym_of(self._key, 'salt', person)}.salt"

    def _token(self, person: str) -> str | None:
        try:
            salt = read_file(self._path(person))
        except FileNotFoundError:
            return None
        if len(salt) != _SALT_BYTES:
            raise ProvenanceError("Expected a salt of 32 bytes: got another length. Restore it from a copy.")
        return _token(salt, person)

    def _names(self, patient_id: str) -> Path:
        return self._folder / f"{pseudonym_of(self._key, 'number', patient_identifier(patient_id))}.json"

    def _namesakes(self, patient_id: str) -> list[str]:
        """People of this number whose issuer is known, as pseudonyms."""
        try:
            found = json.loads(read_file(self._names(patient_id)))
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise ProvenanceError("Expected a list of pseudonyms: got another. Restore it from a copy.") from error
        return [str(person) for person in found]

    def _list(self, patient_id: str, people: set[str]) -> None:
        path = self._names(patient_id)
        if people:
            write_atomically(path, json.dumps(sorted(people)).encode(), mode=0o600)
        else:
            remove_files([path])


def _token(salt: bytes, person: str) -> str:
    return hmac.new(salt, _DOMAIN + person.encode(), hashlib.sha256).hexdigest()[:32]
