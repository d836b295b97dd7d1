"""TLS to a real server: whom the client believes, and what it says where it does not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from genscache.exceptions import StoreUnavailable
from genscache.stores.base import Ensure, Fetch
from genscache.stores.opening import StorePair, open_stores
from tests.security.certificates import OPENSSL, Authority
from tests.servers import Redis, Server, ServerFailed, Valkey
from tests.servers.processes import free_port

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@dataclass(frozen=True)
class Secured:
    """A server that asks for certificates, and the files that get in."""

    port: int
    authority: Path
    stranger: Path
    certificate: Path
    key: Path
    forged: tuple[Path, Path]

    def url(self, *options: str, host: str = "127.0.0.1") -> str:
        """Return an address."""
        return f"rediss://{host}:{self.port}/0?{'&'.join(options)}"

    @property
    def credentials(self) -> tuple[str, str]:
        """The options that present the client's certificate."""
        return (f"ssl_certfile={self.certificate}", f"ssl_keyfile={self.key}")


@pytest.fixture(scope="module", params=[Redis, Valkey], ids=lambda kind: kind.name)
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Run a server with TLS: certificates for 127.0.0.1 alone, and asked for from its clients."""
    kind: type[Server] = request.param
    if kind.binary() is None:
        pytest.skip(f"{kind.name} is not installed")
    directory = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(directory / "ours"), Authority(directory / "theirs")
    certificate, key = ours.sign("server", address="127.0.0.1")
    client, client_key = ours.sign("client")
    port = free_port()
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    try:
        server = kind(
            options=("--tls-port", str(port), *files, "--tls-ca-cert-file", str(ours.certificate))
        ).start()
    except ServerFailed as error:
        pytest.skip(f"this {kind.name} has no TLS: {str(error)[-200:]}")
    try:
        yield Secured(port, ours.certificate, theirs.certificate, client, client_key, theirs.sign("client"))
    finally:
        server.stop()


def use(url: str) -> StorePair:
    """Ask both twins something."""
    pair = open_stores(url, prefix="gc")

    async def ask() -> None:
        try:
            await pair.asynchronous.execute(Fetch(("a",)))
        finally:
            await pair.asynchronous.aclose()

    try:
        assert pair.sync.execute(Ensure(("a",)))[0].generation > 0
        asyncio.run(ask())
    finally:
        pair.sync.close()
    return pair


def refusals(url: str) -> list[str]:
    """Return what each twin says where it cannot be used."""
    pair = open_stores(url, prefix="gc")

    async def ask() -> None:
        try:
            await pair.asynchronous.execute(Fetch(("a",)))
        finally:
            await pair.asynchronous.aclose()

    with pytest.raises(StoreUnavailable) as sync:
        pair.sync.execute(Fetch(("a",)))
    pair.sync.close()
    with pytest.raises(StoreUnavailable) as asynchronous:
        asyncio.run(ask())
    return [str(sync.value), str(asynchronous.value)]


def test_with_the_right_authority_and_a_certificate(secured: Secured) -> None:
    use(secured.url(f"ssl_ca_certs={secured.authority}", *secured.credentials))


def test_without_an_authority_nobody_is_believed(secured: Secured) -> None:
    for refused in refusals(secured.url(*secured.credentials)):
        assert re.search("certificate verify failed", refused, re.IGNORECASE)


def test_the_wrong_authority(secured: Secured) -> None:
    for refused in refusals(secured.url(f"ssl_ca_certs={secured.stranger}", *secured.credentials)):
        assert re.search("certificate verify failed", refused, re.IGNORECASE)


def test_the_wrong_host(secured: Secured) -> None:
    """The certificate is for 127.0.0.1, and localhost leads to the same server."""
    options = (f"ssl_ca_certs={secured.authority}", *secured.credentials)
    for refused in refusals(secured.url(*options, "ssl_check_hostname=True", host="localhost")):
        assert re.search("hostname mismatch|doesn't match|not valid for 'localhost'", refused, re.IGNORECASE)
    use(secured.url(*options, "ssl_check_hostname=False", host="localhost"))


def test_no_certificate_of_the_client(secured: Secured) -> None:
    assert len(refusals(secured.url(f"ssl_ca_certs={secured.authority}"))) == 2


def test_a_certificate_that_somebody_else_signed(secured: Secured) -> None:
    certificate, key = secured.forged
    options = (f"ssl_certfile={certificate}", f"ssl_keyfile={key}")
    assert len(refusals(secured.url(f"ssl_ca_certs={secured.authority}", *options))) == 2


def test_a_client_that_does_not_look(secured: Secured) -> None:
    use(secured.url("ssl_cert_reqs=none", "ssl_check_hostname=False", *secured.credentials))


def test_without_tls_to_a_port_that_wants_it(secured: Secured) -> None:
    assert len(refusals(secured.url().replace("rediss", "redis"))) == 2
