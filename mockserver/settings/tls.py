"""TLS of a mock that listens: the operator's certificate, or one made at the start by an authority of its own."""

from __future__ import annotations

import contextlib
import os
import platform
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockserver.core.errors import OperatorError
from mockserver.core.extras import to_install
from mockserver.core.web_address import bare_host
from mockserver.files.atomic import temporary, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mockserver.settings.config import Config

NAMES: Final = ("localhost", "127.0.0.1", "::1", "genstudio-mock")
EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - read, not bound
REPLACING: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name what is trusted instead of the system's: OpenSSL's (httpx and Go read it), requests', curl's."""
ADDING: Final = "NODE_EXTRA_CA_CERTS"
"""Names those that Node trusts beside its own."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a TLS server needs.

    Attributes:
        context: Holds certificate and key.
        ca: The file with the certificate of the authority that made them; None where they are the operator's.
    """

    context: ssl.SSLContext
    ca: Path | None = None


@contextlib.contextmanager
def tls_of(config: Config) -> Iterator[Tls | None]:
    """What a configuration asks for, None for plain HTTP; the file of the authority goes at the end.

    Raises:
        OperatorError: settings contradict each other, a file cannot be used, or trustme is missing.
    """
    if config.tls == "off" and config.tls_key is None and config.tls_cert is None:
        yield None
        return
    if config.uds:
        raise OperatorError(f"--uds {config.uds}: TLS needs --host and --port; drop --uds, or the flags of TLS")
    if config.tls == "off":
        yield Tls(_context_of(config.tls_cert, config.tls_key))
        return
    given = next((f"--tls-{name}" for name in ("cert", "key") if getattr(config, f"tls_{name}")), None)
    if given:
        raise OperatorError(f"{given}: --tls self-signed makes its own; drop one of them")
    with _made(config) as tls:
        yield tls


def _context_of(cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """The operator's certificate and key."""
    if cert is None:
        raise OperatorError(f"--tls-key {key}: the certificate is missing; name it with --tls-cert")
    for flag, path in (("--tls-cert", cert), ("--tls-key", key)):
        if path is not None:
            try:
                path.read_bytes()
            except OSError as error:
                raise OperatorError(f"{flag} {path}: cannot be read: {error.strerror or error}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, _no_passphrase)
    except _EncryptedError:
        raise OperatorError(f"--tls-key {key or cert}: is encrypted; give a key without a passphrase") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise OperatorError(f"--tls-key {key or cert}: is not the key of --tls-cert {cert}") from None
        raise OperatorError(
            f"--tls-cert {cert}: no certificate (PEM) with its key{'' if key is None else f' in --tls-key {key}'}; "
            "give both, the certificate with those between it and its authority"
        ) from None
    return context


class _EncryptedError(Exception):
    """A key asks for a passphrase."""


def _no_passphrase() -> str:
    raise _EncryptedError


@contextlib.contextmanager
def _made(config: Config) -> Iterator[Tls]:
    """A certificate of an authority that is made here and kept nowhere."""
    try:
        import trustme
    except ModuleNotFoundError:
        raise OperatorError(f"--tls self-signed: trustme is not installed; {to_install('tls')}") from None
    authority = trustme.CA(organization_name="genstudio-mock")
    host = bare_host(config.host)
    names = [*NAMES, *([] if host in EVERY_ADDRESS else [host]), *filter(None, [platform.node()]), *config.tls_name]
    try:
        cert = authority.issue_cert(*dict.fromkeys(names))
    except ValueError as error:
        raise OperatorError(f"--tls-name {', '.join(config.tls_name)}: no certificate can have it: {error}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with temporary("--tls self-signed"):  # trustme hands a key to OpenSSL in a file
        cert.configure_cert(context)
    path = config.tls_ca or _new_file()
    write_whole(path, authority.cert_pem.bytes(), named=f"--tls-ca {path}")
    try:
        yield Tls(context, path.absolute())
    finally:
        with contextlib.suppress(OSError):
            if path.read_bytes() == authority.cert_pem.bytes():
                path.unlink()


def _new_file() -> Path:
    with temporary("--tls self-signed"):
        descriptor, name = tempfile.mkstemp(".pem", "genstudio-mock-ca-")
    os.close(descriptor)
    return Path(name)


@contextlib.contextmanager
def trusting(environ: Mapping[str, str], ca: Path) -> Iterator[dict[str, str]]:
    """Variables with which a command trusts an authority beside all that it trusts already.

    Args:
        environ: The command's environment, whose own choices stay trusted.
        ca: The authority's certificate.

    Raises:
        OperatorError: the file for it cannot be written.
    """
    named = [environ[name] for name in (*REPLACING, ADDING) if environ.get(name)]
    system = ssl.get_default_verify_paths().cafile
    parts = []
    for name in dict.fromkeys([*named, *([system] if system else []), str(ca)]):
        with contextlib.suppress(OSError):  # one that is not there adds nothing, as for the command itself
            parts.append(Path(name).read_bytes().rstrip() + b"\n")
    bundle = _new_file()
    try:
        write_whole(bundle, b"".join(parts))
        yield dict.fromkeys((*REPLACING, ADDING), str(bundle))
    finally:
        bundle.unlink(missing_ok=True)
