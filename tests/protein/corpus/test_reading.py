import gzip
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansatz.hub.web import Patience, UnavailableError
from ansatz.protein.corpus import compression
from ansatz.protein.corpus.reading import open_text

zstandard = pytest.importorskip("zstandard")


def members(text):
    """Gzip in many members, as bgzip writes it."""
    return b"".join(gzip.compress(text[i : i + 5000]) for i in range(0, len(text), 5000))


def frames(text):
    packer = zstandard.ZstdCompressor(write_checksum=True)
    return b"".join(packer.compress(text[i : i + 5000]) for i in range(0, len(text), 5000))


PACKED = {"none": bytes, "gzip": members, "zstd": frames}


def read(source, **given):
    with open_text(source, **given) as text:
        return text.origin, b"".join(text.chunks)


@pytest.mark.parametrize("kind", PACKED)
def test_a_text_is_known_by_its_first_bytes(kind, tmp_path, random_fasta):
    text = random_fasta(300)
    path = tmp_path / "named.txt"
    path.write_bytes(PACKED[kind](text))
    origin, found = read(path)
    assert found == text
    assert (origin.name, origin.compression) == ("named.txt", kind)
    assert read("-", stdin=io.BytesIO(path.read_bytes()))[1] == text


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("byte", [0, 1, 4999, 5000, 12345])
def test_a_text_can_be_read_from_a_byte_on(kind, byte, tmp_path, random_fasta):
    text = random_fasta(300)
    path = tmp_path / "x"
    path.write_bytes(PACKED[kind](text))
    with open_text(path) as opened:
        assert (opened.path == path) == (kind == "none")
        assert b"".join(opened.after(byte)) == text[byte:]


def test_without_isal_zlib_reads_the_same(tmp_path, random_fasta, monkeypatch):
    monkeypatch.setattr(compression, "find_spec", lambda name: None)
    text = random_fasta(300)
    (tmp_path / "x").write_bytes(members(text))
    assert read(tmp_path / "x")[1] == text
    (tmp_path / "x").write_bytes(members(text)[:-5])
    with pytest.raises(ValueError, match="ends in the middle"):
        read(tmp_path / "x")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_stream_that_ends_early_or_is_damaged_says_so(kind, tmp_path, random_fasta):
    packed = PACKED[kind](random_fasta(300))
    path = tmp_path / "x.fasta.gz"
    for cut in (5, 100):
        path.write_bytes(packed[:-cut])
        with pytest.raises(ValueError, match=r"x\.fasta\.gz ends in the middle of a"):
            read(path)
    path.write_bytes(packed[:400] + bytes(200) + packed[600:])
    with pytest.raises(ValueError, match="is damaged"):
        read(path)


def test_other_archives_and_missing_files_say_what_to_do(tmp_path):
    (tmp_path / "x").write_bytes(b"BZh91AY&SY123")
    with pytest.raises(ValueError, match=r"bzip2.*standard input"):
        read(tmp_path / "x")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read(tmp_path / "y")


def test_a_reader_may_stop_early(tmp_path, random_fasta):
    (tmp_path / "x").write_bytes(gzip.compress(random_fasta(300)))
    with open_text(tmp_path / "x") as text:
        next(text.chunks)


# ------------------------------------------------------------------------------------------ web
@pytest.fixture
def serve():
    """A server that breaks off after `cut` bytes as often as told; address, and ranges asked."""
    servers = []

    def start(content, cut=0, times=0, ranges=True):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.headers.get("Range"))
                first = int(asked[-1][6:-1]) if asked[-1] and ranges else 0
                self.send_response(206 if first else 200)
                if first:
                    self.send_header("Content-Range", f"bytes {first}-/{len(content)}")
                self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                is_cut = len(asked) <= times
                self.wfile.write(content[first : first + cut] if is_cut else content[first:])

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/uniref50.fasta.gz", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


QUICK = Patience(attempts=3, first_wait=0.0)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_is_read_while_it_comes_and_taken_up_where_it_broke(serve, random_fasta, ranges):
    text = random_fasta(300)
    packed = members(text)
    address, asked = serve(packed, cut=4000, times=2, ranges=ranges)
    assert read(address, patience=QUICK)[1] == text
    assert asked[1] == "bytes=4000-"
    assert len(asked) == 3


def test_a_server_that_keeps_failing_is_given_up(serve):
    address, _ = serve(b"x" * 100, cut=0, times=99)
    with pytest.raises(UnavailableError, match="3 times"):
        read(address, patience=QUICK)
