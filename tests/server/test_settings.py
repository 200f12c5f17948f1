"""A server that others can reach asks for a key, unless it was told not to."""

import hashlib

import pytest

from ansatz.core.overrides import override, parse
from ansatz.server.settings import Settings, is_known_key, read_keys


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_an_address_others_can_reach_needs_a_key(host, tmp_path):
    with pytest.raises(ValueError, match="needs a key"):
        Settings(host=host)
    Settings(host=host, insecure=True)
    Settings(host=host, key_file=tmp_path / "keys")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(host):
    assert Settings(host=host).key_file is None


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("port=99999", "less than or equal to 65535"),
        ("port=-1", "greater than or equal to 0"),
        ("queue_size=0", "greater than or equal to 1"),
        ("max_batch=0", "greater than or equal to 1"),
        ("max_cost=0", "greater than 0"),
        ("max_concurrent=0", "greater than or equal to 1"),
        ("max_body=0", "greater than or equal to 1"),
        ("max_fields=0", "greater than or equal to 1"),
        ("max_text=0", "greater than or equal to 1"),
        ("upload_seconds=0", "greater than 0"),
        ("drain_seconds=-1", "greater than or equal to 0"),
        ("host_threads=0", "greater than or equal to 1"),
    ],
)
def test_a_limit_out_of_its_range_is_refused(option, words):
    with pytest.raises(ValueError, match=f"{option}: must be {words}"):
        override(Settings(), parse([option]))


def test_keys_are_kept_as_digests(tmp_path):
    path = tmp_path / "keys"
    path.write_text("\n# a comment\n  0123456789abcdef  \n")

    (digest,) = read_keys(path)

    assert digest == hashlib.sha256(b"0123456789abcdef").digest()
    assert is_known_key("0123456789abcdef", (bytes(32), digest))
    assert not is_known_key("0123456789abcdeg", (bytes(32), digest))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# none\n", "no key"),
        ("short", "5 characters"),
        ("sha256:00ff", "without 64 hexadecimal digits"),
        ("sha256:secret", "keys holds sha256: without 64 hexadecimal digits"),
    ],
)
def test_a_file_of_bad_keys_is_refused(tmp_path, text, words):
    path = tmp_path / "keys"
    path.write_text(text)

    with pytest.raises(ValueError, match=words):
        read_keys(path)
