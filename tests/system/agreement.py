#!/usr/bin/env python3
"""How often the shipped backbone for photographs names what its teacher names, measured by the command on pictures that neither
training saw, against what its card says.

usage: agreement.py FOVEA SHARED CARD
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TEACHER = """fovea: 1
model: {backbone: {type: mobilenet_v2, padding: same}, head: {type: classify, classes: 1000}}
preprocess: {size: 224, mean: 0.5, std: 0.5}
"""
FLIPS = 0.004  # of 1000 pictures, four that are near a tie: f32 sums differ in their last bits between processors


def main():
    fovea, shared, card = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    weights, photos = shared / "pretrained" / "mobilenet_v2.safetensors", shared / "data" / "flickr8k" / "dev.txt"
    if not weights.exists() or not photos.exists():
        print(f"skipped: no {weights} or {photos}")
        sys.exit(77)
    said = [float(v) for v in re.search(r"\| `photo-cbam` \|.*?\| (0\.\d+) \| (0\.\d+) \|", card.read_text()).groups()]
    with tempfile.TemporaryDirectory(prefix="fovea-agreement-") as name:
        folder = Path(name)
        (folder / "teacher.yaml").write_text(TEACHER)
        teacher, result = folder / "teacher.safetensors", folder / "result.json"
        subprocess.run([fovea, "import", str(weights), "--recipe", str(folder / "teacher.yaml"), "-o", str(teacher)], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([fovea, "eval", "photo-cbam", "--teacher", str(teacher), "--data", str(photos), "--json", str(result)],
                       check=True, stdout=subprocess.DEVNULL)
        measured = json.loads(result.read_text())
    for what, value in zip(("top1", "top5"), said):
        assert abs(measured[what] - value) <= FLIPS, f"{what}: the card says {value}, measured {measured[what]}"
    print(f"ok: top-1 {measured['top1']:.3f}, top-5 {measured['top5']:.3f} of {measured['images']} pictures")


if __name__ == "__main__":
    main()
