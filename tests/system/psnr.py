#!/usr/bin/python3
"""Measures what `fovea upscale` writes, with nothing of Fovea's: PSNR on Y of 8-bit PNG files against Set5 and Set14.

usage: psnr.py FOVEA SETS       SETS holds Set5/x2/{HR,LR} ...
Exit code 1 when a shipped model is below its figure, 77 (skipped) when the sets are not there.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

LEAST = {("Set5", 2): 37.2, ("Set5", 3): 33.2, ("Set14", 2): 32.8, ("Set5", 4): 30.9, ("Set14", 4): 27.7}


def luminance(image):
    pixels = numpy.asarray(image).astype(numpy.float64)
    if pixels.ndim == 2:  # grey: taken as Y itself, as the field's scripts do
        return pixels
    return 16 + pixels[..., :3] @ numpy.array([65.481, 128.553, 24.966]) / 255


def psnr(a, b, border):
    d = (a - b)[border:-border, border:-border]
    return 10 * numpy.log10(255**2 / numpy.mean(d * d))


def measure(fovea, folder, scale):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([fovea, "upscale", str(folder / "LR"), "-o", out, "--scale", str(scale), "--format", "png", "--quiet"], check=True)
        truth, ours = sorted((folder / "HR").iterdir()), sorted(pathlib.Path(out).glob("*.png"))
        assert len(truth) == len(ours) > 0, (truth, ours)
        return numpy.mean([psnr(luminance(Image.open(a)), luminance(Image.open(b)), scale) for a, b in zip(truth, ours)])


def main():
    fovea, sets = sys.argv[1], pathlib.Path(sys.argv[2])
    if not sets.is_dir():
        print(f"skipped: no {sets}")
        return 77
    short = 0
    for (name, scale), least in LEAST.items():
        value = measure(fovea, sets / name / f"x{scale}", scale)
        short += value < least
        print(f"{name} x{scale} {value:.3f} dB, at least {least}: {'ok' if value >= least else 'SHORT'}", flush=True)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
