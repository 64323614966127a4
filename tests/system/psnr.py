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


def luminances(files):
    return [luminance(Image.open(file)) for file in sorted(files)]


def upscaled(fovea, folder, *options):
    """Luminance of what the program makes of a folder's pictures, in the order of their names."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([fovea, "upscale", str(folder), "-o", out, "--format", "png", "--quiet", *options], check=True)
        return luminances(pathlib.Path(out).glob("*.png"))


def mean_psnr(truth, pictures, border):
    assert len(truth) == len(pictures) > 0, (len(truth), len(pictures))
    return numpy.mean([psnr(a, b, border) for a, b in zip(truth, pictures)])


def main(figures):
    """Prints the figures of the sets on the command line: texts, and whether they are met. The exit code."""
    fovea, sets = sys.argv[1], pathlib.Path(sys.argv[2])
    if not sets.is_dir():
        print(f"skipped: no {sets}")
        return 77
    short = 0
    for text, met in figures(fovea, sets):
        short += not met
        print(f"{text}: {'ok' if met else 'SHORT'}", flush=True)
    return 1 if short else 0


def figures(fovea, sets):
    for (name, scale), least in LEAST.items():
        folder = sets / name / f"x{scale}"
        value = mean_psnr(luminances((folder / "HR").iterdir()), upscaled(fovea, folder / "LR", "--scale", str(scale)), scale)
        yield f"{name} x{scale} {value:.3f} dB, at least {least}", value >= least


if __name__ == "__main__":
    sys.exit(main(figures))
