#!/usr/bin/python3
"""What `fovea upscale` makes of small JPEG files, with nothing of Fovea's in the measure: PSNR on Y against Set14, whose small pictures are
saved by libjpeg, 4:2:0, at three qualities. Beside it: the same files enlarged bicubically by Pillow, and by the model for clean pictures.

usage: psnr_jpeg.py FOVEA SETS       SETS holds Set14/x2/{HR,LR} ...
Exit code 1 when a figure is short, 77 (skipped) when the sets are not there.
"""
import pathlib
import sys
import tempfile

from PIL import Image

import psnr

# Scale, quality -> dB over what else.
LEAST = {(2, 50): (0.7, "bicubic"), (2, 75): (0.9, "bicubic"), (2, 95): (-0.5, "clean"),
         (4, 50): (0.6, "bicubic"), (4, 75): (0.8, "bicubic"), (4, 95): (-0.5, "clean")}


def measure(fovea, folder, scale, quality):
    truth = psnr.luminances((folder / "HR").iterdir())
    with tempfile.TemporaryDirectory() as small:
        small = pathlib.Path(small)
        bicubic = []
        for i, file in enumerate(sorted((folder / "LR").iterdir())):
            saved = small / f"{i:03}.jpg"
            Image.open(file).save(saved, quality=quality, subsampling=2)
            enlarged = Image.open(saved)
            bicubic.append(psnr.luminance(enlarged.resize((enlarged.width * scale, enlarged.height * scale), Image.BICUBIC)))
        ours = psnr.upscaled(fovea, small, "--scale", str(scale))
        clean = psnr.upscaled(fovea, small, "--model", f"upscale-x{scale}")
    return {name: psnr.mean_psnr(truth, pictures, scale) for name, pictures in (("ours", ours), ("bicubic", bicubic), ("clean", clean))}


def figures(fovea, sets):
    for (scale, quality), (least, beside) in LEAST.items():
        dB = measure(fovea, sets / "Set14" / f"x{scale}", scale, quality)
        gain = dB["ours"] - dB[beside]
        yield (f"Set14 x{scale} quality {quality}: {dB['ours']:.3f} dB, bicubic {dB['bicubic']:.3f}, clean model {dB['clean']:.3f}; "
               f"{gain:+.2f} against {beside}, at least {least:+.1f}", gain >= least)


if __name__ == "__main__":
    sys.exit(psnr.main(figures))
