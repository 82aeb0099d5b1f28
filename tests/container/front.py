"""Another door to the engine of these tests: by TCP, with TLS if need be, and closed in the middle of an answer."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jobs import address
from tests.container.conftest import HOST, require

AT = "127.0.0.1"
STARTED = dict(os.environ)  # no test changes it
NO_USE = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "encipher_only",
    "decipher_only",
)
LONG = timedelta(days=2)


@dataclass(kw_only=True)
class Front:
    """A door at `url`. Once an engine's answer has `cut` in it, the line is broken there; `rough`: by RST."""

    url: str
    cut: bytes | None = None
    rough: bool = False
    connections: int = 0


@contextlib.contextmanager
def front(secured: ssl.SSLContext | None = None) -> Iterator[Front]:
    """A door to the engine, for as long as the block lasts."""
    behind = address.of(HOST, STARTED)
    require(behind.startswith("unix://"), f"the engine at {behind} is reached by no socket of this machine")
    with socket.create_server((AT, 0)) as server:
        found = Front(url=f"tcp://{AT}:{server.getsockname()[1]}")

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    came, _ = server.accept()
                    found.connections += 1
                    threading.Thread(target=carry, args=(came,), daemon=True).start()

        def carry(came: socket.socket) -> None:
            with came, contextlib.suppress(OSError):
                before = secured.wrap_socket(came, server_side=True) if secured else came
                after = socket.socket(socket.AF_UNIX)
                after.connect(behind.removeprefix("unix://"))
                threading.Thread(target=pump, args=(before, after, None), daemon=True).start()
                pump(after, before, found)

        threading.Thread(target=serve, daemon=True).start()
        yield found
        server.shutdown(socket.SHUT_RDWR)


def pump(source: socket.socket, sink: socket.socket, cutting: Front | None) -> None:
    last = b""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            last = last[-100:] + data
            if cutting and cutting.cut and cutting.cut in last:
                if cutting.rough:
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    sink.sendall(data[: max(1, data.index(cutting.cut) if cutting.cut in data else 1)])
                break
            sink.sendall(data)
    for one in (sink, source):  # whoever waits at the other end of this pump is woken: only then is a line broken
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RD if cutting and cutting.rough else socket.SHUT_RDWR)
        one.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A door with TLS, and the folder of what opens it, as Docker's command line wants it."""

    front: Front
    folder: Path


@pytest.fixture
def secured(tmp_path: Path, engine: object) -> Iterator[Secured]:  # noqa: ARG001 - behind the door
    """It asks who comes, and lets in whom its authority knows."""
    folder, server = tmp_path / "certificates", tmp_path / "server"
    authority, key = made(folder, "authority", None)
    made(folder, "somebody", (authority, key), own=("cert.pem", "key.pem"))
    made(server, "engine", (authority, key), own=("cert.pem", "key.pem"))
    how = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    how.load_cert_chain(server / "cert.pem", server / "key.pem")
    how.load_verify_locations(folder / "ca.pem")
    how.verify_mode = ssl.CERT_REQUIRED
    with front(how) as found:
        yield Secured(front=found, folder=folder)


Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def made(folder: Path, name: str, by: Signer | None, own: tuple[str, str] = ("ca.pem", "ca.key")) -> Signer:
    """A certificate of this name for this machine, and its key, in files: signed by itself, or by an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    building = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(by[0].subject if by else called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LONG)
        .not_valid_after(now + LONG)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(AT))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((by[1] if by else key).public_key()), critical=False
        )
    )
    if by is None:
        no = dict.fromkeys(NO_USE, False)
        building = building.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **no), critical=True)
    certificate = building.sign(by[1] if by else key, hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / own[0]).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / own[1]).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, key
