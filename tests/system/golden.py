#!/usr/bin/env python3
"""The golden program on the reference tensors of blocks and networks, and on tensors that were made wrong, which it must refuse.

usage: golden.py GOLDEN FOLDER (exits 77 where the folder is not there)
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SKIP = 77


def run(golden, folder):
    done = subprocess.run([golden, str(folder)], stdout=subprocess.PIPE, text=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return done.returncode, {words[1]: words[0] for words in lines}, done.stdout


def spoil(file):
    """Makes one number of the file's last tensor wrong."""
    data = bytearray(file.read_bytes())
    data[-4:] = struct.pack("<f", struct.unpack("<f", data[-4:])[0] + 10)
    file.write_bytes(data)


def main():
    golden, source = sys.argv[1], Path(os.environ.get("FOVEA_SHARED", sys.argv[2])) / "attention" / "golden"
    cases = sorted(source.glob("*.safetensors"))
    if not cases:
        print(f"skipped: {source} holds no cases")
        return SKIP
    folder = Path(tempfile.mkdtemp(prefix="fovea-golden-"))
    try:
        for file in cases:
            shutil.copy(file, folder)
        code, states, text = run(golden, folder)
        print(text, end="")
        assert code == 0 and set(states.values()) == {"ok"} and len(states) == len(cases), f"exit code {code}"

        spoil(folder / cases[0].name)
        code, states, text = run(golden, folder)
        assert code != 0 and states[cases[0].stem] == "FAIL", f"a wrong number passed:\n{text}"
        assert list(states.values()).count("ok") == len(cases) - 1, text
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
