"""A server that others can reach asks for a key, unless it was told not to."""

import hashlib

import pytest

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


def test_limits_must_be_positive():
    with pytest.raises(ValueError, match="queue_size must be positive, got 0"):
        Settings(queue_size=0)


def test_keys_are_kept_as_digests(tmp_path):
    path = tmp_path / "keys"
    path.write_text("\n# a comment\n  0123456789abcdef  \n")

    (digest,) = read_keys(path)

    assert digest == hashlib.sha256(b"0123456789abcdef").digest()
    assert is_known_key("0123456789abcdef", (bytes(32), digest))
    assert not is_known_key("0123456789abcdeg", (bytes(32), digest))


@pytest.mark.parametrize(
    ("text", "words"),
    [("# none\n", "no key"), ("short", "5 characters"), ("sha256:00ff", "digest of 2 bytes")],
)
def test_a_file_of_bad_keys_is_refused(tmp_path, text, words):
    path = tmp_path / "keys"
    path.write_text(text)

    with pytest.raises(ValueError, match=words):
        read_keys(path)
