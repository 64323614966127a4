#!/usr/bin/python3
"""Whether `fovea upscale` turns the noise of flat areas (skin, sky) into grain: energy of the Laplacian of luminance in the flattest quarter
of a photograph's blocks, over that of the same file enlarged bicubically by Pillow.

usage: flat_areas.py FOVEA PHOTOGRAPH... [-- OPTIONS OF fovea upscale]
Exit code 1 when the median over the photographs is above 1.3.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

from psnr import luminance

SIDE, SCALE, MOST = 16, 2, 1.3


def blocks(values):
    rows, columns = values.shape[0] // SIDE, values.shape[1] // SIDE
    return values[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)


def laplacian(y):
    out = numpy.zeros_like(y)
    out[1:-1, 1:-1] = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * y[1:-1, 1:-1]
    return out


def flat(y):
    """Blocks that are neither black nor white, with the least spread of luminance."""
    b = blocks(y)
    level, spread = b.mean((2, 3)), b.std((2, 3))
    usable = (level > 30) & (level < 225)
    return usable & (spread <= numpy.quantile(spread[usable], 0.25))


def ratio(file, ours):
    small = Image.open(file)
    bicubic = luminance(small.resize((small.width * SCALE, small.height * SCALE), Image.BICUBIC))
    chosen = flat(bicubic)
    energy = lambda y: (blocks(laplacian(y))[chosen] ** 2).mean()
    return energy(luminance(Image.open(ours))) / energy(bicubic)


def main():
    words = sys.argv[2:]
    cut = words.index("--") if "--" in words else len(words)
    photos, options = words[:cut], words[cut + 1 :]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.argv[1], "upscale", *photos, "-o", out, "--format", "png", "--quiet"]
        subprocess.run([*command, *(options or ["--scale", str(SCALE)])], check=True)
        ratios = []
        for photo in map(pathlib.Path, photos):
            ratios.append(ratio(photo, pathlib.Path(out) / f"{photo.stem}.png"))
            print(f"{photo.name} {ratios[-1]:.2f}", flush=True)
    median = numpy.median(ratios)
    print(f"median {median:.2f}, at most {MOST}: {'ok' if median <= MOST else 'SHORT'}")
    return 0 if median <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
