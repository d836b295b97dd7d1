"""A certificate authority, made with the openssl program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

OPENSSL: Final = shutil.which("openssl")


def openssl(*words: str | Path) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """Signs certificates.

    Args:
        directory: Where its files are; ``certificate`` among them.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        directory.chmod(0o755)
        self._directory = directory
        self.certificate = directory / "ca.crt"
        self._key = directory / "ca.key"
        self._new(self._key)
        subject = (
            "-subj",
            "/CN=tests of genscache",
            "-days",
            "2",
            "-addext",
            "keyUsage=critical,keyCertSign",
        )
        openssl("req", "-x509", "-new", "-key", self._key, "-out", self.certificate, *subject)

    def sign(self, name: str, *, address: str = "") -> tuple[Path, Path]:
        """Return the files of a certificate and its key for a name, and for an IP address where one is given."""
        key, request, certificate = (self._directory / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        self._new(key)
        openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={name}")
        names = self._directory / f"{name}.ext"
        identifiers = "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        names.write_text(f"{identifiers}subjectAltName=DNS:{name}" + (f",IP:{address}" if address else ""))
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", "2")
        openssl("x509", "-req", "-in", request, "-out", certificate, "-extfile", names, *signer)
        return certificate, key

    @staticmethod
    def _new(key: Path) -> None:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        # The server may run as somebody else.
        key.chmod(0o644)
