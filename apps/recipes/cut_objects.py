#!/usr/bin/env python3
"""Cuts single objects out of photographs with boxes into one folder a class, as `fovea train` and `fovea study` read them.

Usage: cut_objects.py FLICKR8K OUT [SIDE] [MOST]
FLICKR8K holds boxes.json, train.txt, dev.txt and images/. Of each class at most MOST (300) objects are taken from the training photographs and
MOST / 5 from the others, the largest boxes of a photograph first, each as a square of SIDE (64) pixels with a tenth of margin.
Needs Pillow.
"""
import json
import pathlib
import random
import sys

from PIL import Image


def squares(record, smallest):
    """(class, box) of the objects that are sure and large enough, largest first."""
    boxes = [b for b in record if b["strong"] and min(b["box"][2] - b["box"][0], b["box"][3] - b["box"][1]) >= smallest]
    return sorted(boxes, key=lambda b: -(b["box"][2] - b["box"][0]) * (b["box"][3] - b["box"][1]))


def cut(image, box, side):
    x0, y0, x1, y1 = box
    half = 0.55 * max(x1 - x0, y1 - y0)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return image.resize((side, side), Image.BICUBIC, (max(0, cx - half), max(0, cy - half), min(image.width, cx + half), min(image.height, cy + half)))


def main():
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    side = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    most = int(sys.argv[4]) if len(sys.argv) > 4 else 300
    data = json.loads((source / "boxes.json").read_text())
    for split, names, limit in (("train", "train.txt", most), ("validate", "dev.txt", most // 5)):
        files = (source / names).read_text().split()
        random.Random(0).shuffle(files)
        counts = dict.fromkeys(data["classes"], 0)
        for name in files:
            wanted = [b for b in squares(data["images"].get(name, []), 20) if counts[b["class"]] < limit]
            if not wanted:
                continue
            with Image.open(source / "images" / name) as image:
                image = image.convert("RGB")
                for i, b in enumerate(wanted):
                    if counts[b["class"]] >= limit:
                        continue
                    counts[b["class"]] += 1
                    folder = out / split / b["class"].replace(" ", "-")
                    folder.mkdir(parents=True, exist_ok=True)
                    cut(image, b["box"], side).save(folder / f"{pathlib.Path(name).stem}-{i}.png")
        print(split, counts)


if __name__ == "__main__":
    main()
