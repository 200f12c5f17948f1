import pytest

from ansatz.hub.listing import Found
from ansatz.hub.metalink import parse_metalink
from ansatz.hub.web import UnavailableError

MD5, SHA256 = "0123456789abcdef" * 2, "ab" * 32

# As UniProt writes them.
THREE = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink version="3.0" type="static" xmlns="http://www.metalinker.org/">
  <identity>UniProt</identity>
  <version>2026_01</version>
  <files>
    <file name="uniref50.fasta.gz">
      <size>8780552383</size>
      <verification><hash type="md5">{MD5}</hash></verification>
      <resources>
        <url location="us" type="ftp" preference="100">ftp://ftp.uniprot.org/a.gz</url>
      </resources>
    </file>
    <file name="README"><size>6</size></file>
  </files>
</metalink>"""

# RFC 5854, section 1.1; hashes of pieces are none of the file.
FOUR = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="example.ext">
    <size>14471447</size>
    <pieces length="262144" type="md5"><hash>{"0" * 32}</hash></pieces>
    <hash type="sha-256">{SHA256.upper()}</hash>
    <hash type="md5">
      {MD5}
    </hash>
  </file>
</metalink>"""


def test_a_release_and_its_digests_are_read():
    link = parse_metalink(THREE.encode(), "x")
    assert link.release == "2026_01"
    assert link.files == {"uniref50.fasta.gz": Found(8780552383, None, f"md5:{MD5}")}


def test_the_newer_standard_is_read_too():
    link = parse_metalink(FOUR.encode(), "x")
    assert link.release == ""
    assert link.files == {"example.ext": Found(14471447, SHA256, f"md5:{MD5}")}


def test_a_digest_of_another_length_is_none():
    assert parse_metalink(THREE.replace(MD5, MD5[1:]).encode(), "x").files == {}


def test_a_login_page_is_recognized():
    with pytest.raises(UnavailableError, match="x is no Metalink file"):
        parse_metalink(b"<html><br>please log in</html>", "x")
