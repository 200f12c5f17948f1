"""Digests that a publisher keeps beside its files: Metalink, as UniProt's `RELEASE.metalink`.

    <metalink><version>2026_01</version>
      <files><file name="uniref50.fasta.gz"><size>8780552383</size>
        <verification><hash type="md5">...</hash></verification>

Metalink 3.0 (metalinker.org) and 4 (RFC 5854) are read alike: they differ in name space and
nesting. The addresses of mirrors in it are passed over: those of a manifest are known beforehand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from ansatz.hub.fingerprint import MD5
from ansatz.hub.listing import Found
from ansatz.hub.web import UnavailableError


@dataclass(frozen=True)
class Metalink:
    """What a Metalink file tells.

    Attributes:
        release: The publisher's name of the version, as `2026_01`; may be empty.
        files: Those with a digest, by name.
    """

    release: str
    files: Mapping[str, Found]


def parse_metalink(content: bytes, where: str) -> Metalink:
    """Read a Metalink file.

    Raises:
        UnavailableError: If it is none; the message says where it came from.
    """
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise UnavailableError(
            f"{where} is no Metalink file ({error}): is there a proxy or a login page in between?"
        ) from error
    files = {node.get("name", ""): _found(node) for node in root.iterfind(".//{*}file")}
    return Metalink(
        root.findtext("{*}version", "").strip(),
        {name: found for name, found in files.items() if found.sha256 or found.version},
    )


def _found(node: ElementTree.Element) -> Found:
    size = node.findtext("{*}size", "").strip()
    sha256 = _digest(node, "sha256", 64) or _digest(node, "sha-256", 64)
    md5 = _digest(node, "md5", 32)
    return Found(int(size) if size.isdigit() else None, sha256 or None, MD5 + md5 if md5 else "")


def _digest(node: ElementTree.Element, kind: str, digits: int) -> str:
    """A digest of the whole file; empty if there is none."""
    text = node.findtext(f".//{{*}}hash[@type='{kind}']", "").strip().lower()
    return text if re.fullmatch(rf"[0-9a-f]{{{digits}}}", text) else ""
