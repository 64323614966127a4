#!/usr/bin/env python3
"""Writes the boxes of Flickr8k's photographs (boxes.json, made by detectors) as COCO files for `fovea train` and `fovea eval`.

Usage: flickr8k_boxes.py FLICKR8K OUT
FLICKR8K holds boxes.json, train.txt, dev.txt and images/. OUT gets train.json and dev.json; strong boxes become objects, the others regions to
ignore (iscrowd). File names are absolute. Needs Python alone.
"""
import json
import pathlib
import sys


def coco_of(names, boxes, images, size):
    classes = {name: i + 1 for i, name in enumerate(boxes["classes"])}
    coco = {"images": [], "categories": [{"id": i, "name": name} for name, i in classes.items()], "annotations": []}
    for number, name in enumerate(names, 1):
        coco["images"].append({"id": number, "file_name": str(images / name), "width": size[0], "height": size[1]})
        for b in boxes["images"].get(name, []):
            x0, y0, x1, y1 = max(0, b["box"][0]), max(0, b["box"][1]), min(size[0], b["box"][2]), min(size[1], b["box"][3])
            coco["annotations"].append({"id": len(coco["annotations"]) + 1, "image_id": number, "category_id": classes[b["class"]],
                                        "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
                                        "iscrowd": 0 if b["strong"] else 1})
    return coco


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, out = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2])
    boxes = json.loads((folder / "boxes.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    for part in ("train", "dev"):
        names = (folder / f"{part}.txt").read_text().split()
        coco = coco_of(names, boxes, folder / "images", boxes["image_size"])
        (out / f"{part}.json").write_text(json.dumps(coco))
        objects = sum(1 - a["iscrowd"] for a in coco["annotations"])
        print(f"{part}: {len(names)} photographs, {objects} objects, {len(coco['annotations']) - objects} regions to ignore")


main()
