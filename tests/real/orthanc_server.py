# SPDX-License-Identifier: Apache-2.0
"""An Orthanc archive of its own for a test: free ports, a temporary folder, nobody but this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pydicom

SENDER = "SENDER"


def program() -> str | None:
    """The server's program, or nothing where there is none."""
    return shutil.which("Orthanc") or next((p for p in ["/usr/sbin/Orthanc"] if os.access(p, os.X_OK)), None)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Orthanc:
    """A running server; `close` ends it."""

    def __init__(self, folder: Path) -> None:
        self.http, self.dicom = _free_port(), _free_port()
        self.log = folder / "orthanc.log"
        config = {
            "Name": "test",
            "StorageDirectory": str(folder / "store"),
            "IndexDirectory": str(folder / "store"),
            "Plugins": [],
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": "ARCHIVE",
            "DicomPort": self.dicom,
            "DicomAlwaysAllowStore": False,
            "DicomAlwaysAllowEcho": False,
            "DicomCheckModalityHost": True,
            "DicomModalities": {"sender": [SENDER, "127.0.0.1", 104]},
        }
        path = folder / "orthanc.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(program()), str(path)], stdout=log, stderr=subprocess.STDOUT)
        self.version = self._wait()

    def _wait(self) -> str:
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return str(json.loads(self.call("/system"))["Version"])
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        self.close()
        raise RuntimeError(f"Orthanc did not start: {self.log.read_text(encoding='utf-8', errors='replace')[-2000:]}")

    def call(self, path: str, body: bytes | dict[str, Any] | None = None) -> bytes:
        """GET, or POST where there is a body."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def upload(self, path: Path) -> str:
        """Send a file by REST; its number in the archive."""
        return str(json.loads(self.call("/instances", path.read_bytes()))["ID"])

    def store(self, path: Path) -> str:
        """Send a file by C-STORE; its number in the archive."""
        from pynetdicom import AE

        dataset = pydicom.dcmread(path)
        sender = AE(ae_title=SENDER)
        sender.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        link = sender.associate("127.0.0.1", self.dicom, ae_title="ARCHIVE")
        assert link.is_established, "the archive takes no association"
        try:
            status = link.send_c_store(dataset)
        finally:
            link.release()
        assert status.Status == 0, hex(status.Status)
        found = self.call("/tools/lookup", str(dataset.SOPInstanceUID).encode())
        return next(str(row["ID"]) for row in json.loads(found) if row["Type"] == "Instance")

    def close(self) -> None:
        """End the server and wait for it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
