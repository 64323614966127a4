#!/usr/bin/env python3
"""The golden program tells right from wrong: a file made here, of a block whose answer is known without any library.

usage: golden_fails.py GOLDEN
"""
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from program import write_safetensors


def pixel_attention():
    """One channel, weight w and bias b: y = x s(wx + b), with its gradients for the loss sum(y)."""
    x, w, b = [0.5, -1.0, 2.0, 0.25], 0.75, -0.5
    s = [1 / (1 + math.exp(-(w * v + b))) for v in x]
    slope = [v * g * (1 - g) for v, g in zip(x, s)]  # dy / d(wx + b)
    return {
        "input/x": ([1, 1, 2, 2], x),
        "param/conv.weight": ([1, 1, 1, 1], [w]),
        "param/conv.bias": ([1], [b]),
        "loss_weight/y": ([1, 1, 2, 2], [1.0] * 4),
        "output/y": ([1, 1, 2, 2], [v * g for v, g in zip(x, s)]),
        "attn/gate": ([1, 1, 2, 2], s),
        "grad/input/x": ([1, 1, 2, 2], [g + w * d for g, d in zip(s, slope)]),
        "grad/param/conv.weight": ([1, 1, 1, 1], [sum(v * d for v, d in zip(x, slope))]),
        "grad/param/conv.bias": ([1], [sum(slope)]),
    }


def main():
    golden = sys.argv[1]
    good = {"module": "PA", "hyper_parameters": json.dumps({"nf": 1})}

    def state(tensors, metadata=good, cut=None):
        with tempfile.TemporaryDirectory(prefix="fovea-golden-") as folder:
            file = Path(folder) / "case.safetensors"
            write_safetensors(file, {n: ("F32", shape, struct.pack(f"<{len(v)}f", *v)) for n, (shape, v) in tensors.items()}, metadata)
            file.write_bytes(file.read_bytes()[:cut])
            done = subprocess.run([golden, folder], stdout=subprocess.PIPE, text=True)
        word = done.stdout.split()[0]
        assert (done.returncode == 0) == (word == "ok"), f"{word} with exit code {done.returncode}"
        return word

    assert state(pixel_attention()) == "ok"
    for name in (n for n in pixel_attention() if n.split("/")[0] in ("output", "grad", "attn")):
        for error, word in ((1e-3, "FAIL"), (float("nan"), "FAIL"), (1e-6, "ok")):
            tensors = pixel_attention()
            tensors[name][1][-1] += error
            assert state(tensors) == word, f"{name} off by {error}: expected {word}"
    tensors = pixel_attention()
    tensors["param/other"] = ([1], [0.0])
    assert state(tensors) == "FAIL"
    assert state(pixel_attention(), cut=-4) == "FAIL"
    assert state(pixel_attention(), {"module": "Nobody"}) == "unknown"
    with tempfile.TemporaryDirectory(prefix="fovea-golden-") as folder:
        assert subprocess.run([golden, folder]).returncode != 0, "an empty folder passed"
    print("ok: right files pass; wrong, cut and unknown ones do not")


if __name__ == "__main__":
    main()
