#!/usr/bin/python3
"""What `fovea upscale` makes of small JPEG files, with nothing of Fovea's in the measure: PSNR on Y against Set14, whose small pictures are
saved by libjpeg, 4:2:0, at three qualities. Beside it: the same files enlarged bicubically by Pillow, and by the model for clean pictures.

usage: psnr_jpeg.py FOVEA SETS       SETS holds Set14/x2/{HR,LR} ...
Exit code 1 when a figure is short, 77 (skipped) when the sets are not there.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

from psnr import luminance, psnr

# Scale -> quality -> dB over what else.
LEAST = {2: {50: (0.7, "bicubic"), 75: (0.9, "bicubic"), 95: (-0.5, "clean")},
         4: {50: (0.6, "bicubic"), 75: (0.8, "bicubic"), 95: (-0.5, "clean")}}
SETS = ["Set14"]


def upscaled(fovea, folder, scale, *options):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([fovea, "upscale", str(folder), "-o", out, "--format", "png", "--quiet", *options], check=True)
        return [luminance(Image.open(file)) for file in sorted(pathlib.Path(out).glob("*.png"))]


def measure(fovea, folder, scale, quality):
    truth = [luminance(Image.open(file)) for file in sorted((folder / "HR").iterdir())]
    with tempfile.TemporaryDirectory() as small:
        small = pathlib.Path(small)
        bicubic = []
        for i, file in enumerate(sorted((folder / "LR").iterdir())):
            saved = small / f"{i:03}.jpg"
            Image.open(file).save(saved, quality=quality, subsampling=2)
            enlarged = Image.open(saved)
            bicubic.append(luminance(enlarged.resize((enlarged.width * scale, enlarged.height * scale), Image.BICUBIC)))
        ours = upscaled(fovea, small, scale, "--scale", str(scale))
        clean = upscaled(fovea, small, scale, "--model", f"upscale-x{scale}")
    mean = lambda pictures: numpy.mean([psnr(a, b, scale) for a, b in zip(truth, pictures, strict=True)])
    return {"ours": mean(ours), "bicubic": mean(bicubic), "clean": mean(clean)}


def main():
    fovea, sets = sys.argv[1], pathlib.Path(sys.argv[2])
    if not sets.is_dir():
        print(f"skipped: no {sets}")
        return 77
    short = 0
    for name in SETS:
        for scale in (2, 4):
            for quality in (50, 75, 95):
                dB = measure(fovea, sets / name / f"x{scale}", scale, quality)
                line = f"{name} x{scale} quality {quality}: {dB['ours']:.3f} dB, bicubic {dB['bicubic']:.3f}, clean model {dB['clean']:.3f}"
                least, beside = LEAST[scale][quality]
                gain = dB["ours"] - dB[beside]
                short += gain < least
                print(f"{line}; {gain:+.2f} against {beside}, at least {least:+.1f}: {'ok' if gain >= least else 'SHORT'}", flush=True)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
