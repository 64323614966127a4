import base64
import contextlib
import csv
import gzip
import hashlib
import io
import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

SKIPPED = 77
DONE, QUARANTINED, USAGE, TRY_AGAIN = 0, 3, 64, 75  # what the README says of exit codes
PHOTOGRAPHS = Path("/usr/share/doc/opencv-doc/examples/data")


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


def photographs(*names):
    """Files of the system's photographs; the test is skipped where they are not installed."""
    files = [PHOTOGRAPHS / f"{name}.jpg" for name in names]
    if not all(f.exists() for f in files):
        skip(f"no photographs in {PHOTOGRAPHS}: is opencv-doc installed with its documents?")
    return files


@contextlib.contextmanager
def scratch(name):
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"fovea-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Program:
    """Runs `fovea` and holds it to an exit code."""

    def __init__(self, file):
        self.file = str(file)

    def run(self, *arguments, code=DONE, text="", cwd=None):
        command = [self.file, *map(str, arguments)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=cwd)
        told = f"{' '.join(command)}\nexit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, told
        return done

    def said(self, *arguments, **options):
        return self.run(*arguments, **options).stdout

    def refuses(self, message, *arguments, code=USAGE, **options):
        """A wrong call ends with the code, says why on standard error and nothing on standard output."""
        done = self.run(*arguments, code=code, **options)
        assert message in done.stderr, f"{arguments}: expected '{message}' in:\n{done.stderr}"
        assert done.stdout == "", f"{arguments}: standard output of a wrong call:\n{done.stdout}"
        assert "terminate called" not in done.stderr and len(done.stderr) < 4000, done.stderr


def events(text):
    """The JSON objects that --json prints, one a line."""
    return [json.loads(line) for line in text.splitlines()]


def summary(text):
    last = events(text)[-1]
    assert last["event"] == "summary", last
    return last


def ledger(out):
    """Input's name -> its last record."""
    return {Path(r["input"]).name: r for r in events((out / "fovea-ledger.jsonl").read_text()) if "input" in r}


def table(file):
    """Rows of a CSV file by the names of its columns; every row has all of them."""
    rows = list(csv.reader(io.StringIO(file.read_text())))
    assert all(len(r) == len(rows[0]) for r in rows), rows
    return [dict(zip(rows[0], r)) for r in rows[1:]]


def png_of(width, height, pixel):
    """A colour PNG; pixel(x, y) gives three bytes. No library needed."""
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def noisy_png(width, height, seed):
    """Noise over a gradient."""
    rng = random.Random(seed)
    return png_of(width, height, lambda x, y: [(x * 3 + y * 5 + c * 40 + rng.randrange(32)) & 255 for c in range(3)])


def grey_png(low, high, seed, width=40, height=36):
    """One grey between `low` and `high` with a little noise: classes differ by brightness alone."""
    rng = random.Random(seed)
    base = rng.randrange(low, high - 30)
    return png_of(width, height, lambda x, y: [base + rng.randrange(30) for _ in range(3)])


def unreadable(folder):
    """Files that no decoder takes, each wrong in its own way; their names."""
    whole = noisy_png(40, 30, 1)
    for name, data in (("cut.png", whole[:len(whole) // 2]), ("empty.jpg", b""), ("text.png", b"this is no picture")):
        (folder / name).write_bytes(data)
    return ["cut.png", "empty.jpg", "text.png"]


def read_safetensors(file):
    """Its tensors, name -> (type, shape, bytes), and its metadata."""
    data = Path(file).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    body = data[8 + size:]
    return {n: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])]) for n, t in header.items()}, metadata


def tensors(file):
    return read_safetensors(file)[0]


def write_safetensors(file, all_tensors, metadata):
    header, body = {"__metadata__": metadata}, b""
    for name, (dtype, shape, data) in sorted(all_tensors.items()):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(file).write_bytes(struct.pack("<Q", len(text)) + text + body)


def nifti(size, floats):
    """A packed NIfTI-1 volume of 0.5 x 0.25 x 2 mm, its first voxel at 1, 2, 3."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *size, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 16, 32)
    struct.pack_into("<8f", header, 76, 1, 0.5, 0.25, 2, 0, 0, 0, 0)
    struct.pack_into("<f", header, 108, 352)
    header[123] = 2
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 0.5, 0, 0, 1, 0, 0.25, 0, 2, 0, 0, 2, 3)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + floats)


def check_policy(page, file):
    """Nothing of a report runs but its own script, which the page's policy names by its hash."""
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", page, re.S)
    hashes = re.findall(r"'sha256-([^']*)'", policy)
    assert "default-src 'none'" in policy and page.lower().count("<script") == len(scripts), file
    assert [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts] == hashes, (file, policy)
    assert not re.search(r"\son\w+=", page), f"{file}: an event handler in the page"


class Page(HTMLParser):
    """A page's text and pictures. Everything a report shows must be in it or lie beside it."""
    EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr", "!doctype"}

    def __init__(self, file):
        super().__init__()
        self.open, self.images, self.text, self.folder = [], [], "", file.parent
        source = file.read_text()
        self.feed(source)
        check_policy(source, file)
        self.close()
        assert not self.open, f"{file}: not closed: {self.open}"
        assert self.images, f"{file}: no pictures"

    def handle_starttag(self, tag, attrs):
        if tag not in self.EMPTY:
            self.open.append(tag)
        source, names = dict(attrs).get("src"), dict(attrs).get("data-files")
        for name in names.split(" ") if names else []:
            assert (self.folder / unquote(dict(attrs)["data-folder"] + name)).exists(), name
        if tag == "img":
            assert source.startswith("data:image/") or (self.folder / unquote(source)).exists(), source[:100]
            self.images.append(source)

    def handle_startendtag(self, tag, attrs):
        if tag == "img":
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in ("p", "li", "td", "th", "tr", "dt", "dd"):
            self.open.pop()  # HTML closes these itself
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text += data


def main(test):
    """Runs test(Program, *the other arguments of the script)."""
    print(test(Program(sys.argv[1]), *map(Path, sys.argv[2:])))
