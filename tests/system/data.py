#!/usr/bin/python3
"""`fovea data`: what check finds, that convert keeps boxes through all formats, what show draws; read here by code of its own.

usage: data.py FOVEA
"""
import json
import math
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import program

WIDTH, HEIGHT = 96, 64
# Picture -> (class, box, difficult). Two boxes are no boxes.
TRAIN = {
    "a": [("cat", (4, 8, 40.5, 60), 0), ("dög <&>", (50, 10, 90, 62), 0), ("cat", (0, 0, 96, 64), 1)],
    "b": [("cat", (10, 10, 30, 30), 0), ("cat", (7, 7, 7, 30), 0)],
    "c": [],
}
VAL = {"d": [("dög <&>", (1, 2, 3, 4), 0), ("cat", ("nan", 2, 3, 4), 0)], "e": [("cat", (20, 20, 60, 50), 0)]}


def smooth(seed, move=0):
    """A picture of waves; moved, nearly the same one."""
    def value(x, y, c):
        x, y = x + move, y + move / 2
        waves = ((seed * k * 7 % 11 + 1, seed * k * 5 % 7 + 1, k * seed) for k in range(1, 6))
        return int(128 + 22 * sum(math.sin((a * x / WIDTH + b * y / HEIGHT) * 3 + p + c / 2) for a, b, p in waves))
    return program.png_of(WIDTH, HEIGHT, lambda x, y: [value(x, y, c) for c in range(3)])


def write_voc(folder):
    for name in ("Annotations", "JPEGImages", "ImageSets"):
        (folder / name).mkdir(parents=True)
    for part, pictures in (("train", TRAIN), ("val", VAL)):
        (folder / "ImageSets" / f"{part}.txt").write_text("".join(f"{name}\n" for name in pictures))
        for number, (name, objects) in enumerate(pictures.items()):
            root = ElementTree.Element("annotation")
            for label, box, difficult in objects:
                one = ElementTree.SubElement(root, "object")
                ElementTree.SubElement(one, "name").text = label
                ElementTree.SubElement(one, "difficult").text = str(difficult)
                corners = ElementTree.SubElement(one, "bndbox")
                for key, v in zip(("xmin", "ymin", "xmax", "ymax"), box):
                    ElementTree.SubElement(corners, key).text = str(v)
            ElementTree.ElementTree(root).write(folder / "Annotations" / f"{name}.xml", encoding="utf-8")
            seed, move = (1, 3) if name == "e" else (number + 1 + 10 * (part == "val"), 0)
            (folder / "JPEGImages" / f"{name}.png").write_bytes(smooth(seed, move))


def good(pictures, difficult=True):
    """What should come out: (picture, class, box), sorted."""
    return sorted((name, label, box) for name, objects in pictures.items() for label, box, ignored in objects
                  if "nan" not in box and box[0] < box[2] and (difficult or not ignored))


def read_coco(file):
    data = json.loads(file.read_text())
    names = {c["id"]: c["name"] for c in data["categories"]}
    images = {i["id"]: i for i in data["images"]}
    assert all((i["width"], i["height"]) == (WIDTH, HEIGHT) for i in images.values()), images
    for i in images.values():
        assert (file.parent / i["file_name"]).exists(), i
    boxes = []
    for a in data["annotations"]:
        x, y, w, h = a["bbox"]
        boxes.append((images[a["image_id"]]["file_name"].split("/")[-1][:-4], names[a["category_id"]], (x, y, x + w, y + h)))
    return sorted(boxes), [a for a in data["annotations"] if a["iscrowd"]]


def read_yolo(folder, part):
    text = (folder / "data.yaml").read_text()
    assert f'"{part}": "images/{part}"' in text, text
    names = [json.loads(line.split(": ", 1)[1]) for line in text.splitlines() if line.startswith("  ")]
    boxes = []
    for picture in (folder / "images" / part).iterdir():
        for line in (folder / "labels" / part / f"{picture.stem}.txt").read_text().splitlines():
            label, x, y, w, h = map(float, line.split())
            box = ((x - w / 2) * WIDTH, (y - h / 2) * HEIGHT, (x + w / 2) * WIDTH, (y + h / 2) * HEIGHT)
            boxes.append((picture.stem, names[int(label)], tuple(round(v, 6) for v in box)))
    return sorted(boxes)


def read_voc(folder, part):
    boxes = []
    for name in (folder / "ImageSets" / f"{part}.txt").read_text().split():
        for one in ElementTree.parse(folder / "Annotations" / f"{name}.xml").findall("object"):
            corners = one.find("bndbox")
            box = tuple(round(float(corners.findtext(k)), 6) for k in ("xmin", "ymin", "xmax", "ymax"))
            boxes.append((name, one.findtext("name"), box))
    return sorted(boxes)


def size_of(png):
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    return struct.unpack(">II", data[16:24])


def check(fovea, folder):
    """What is wrong is found, and clean data are clean."""
    voc, file = folder / "voc", folder / "findings.json"
    text = fovea.said("data", "check", voc, "--json", file, code=program.QUARANTINED)
    found = json.loads(file.read_text())
    kinds = found["kinds"]
    assert kinds == {"degenerate box": 2, "near duplicate": 1} and (found["errors"], found["warnings"]) == (2, 1), found
    near, = (f for f in found["findings"] if f["kind"] == "near duplicate")
    assert near["file"].endswith("e.png") and "a.png in 'train'" in near["text"] and near["split"] == "val", near
    counts = [tuple(s[k] for k in ("split", "pictures", "empty", "objects", "ignored")) for s in found["splits"]]
    assert counts == [("train", 3, 1, 3, 1), ("val", 2, 0, 2, 0)], counts
    assert found["splits"][0]["of_class"] == {"cat": 2, "dög <&>": 1}, found["splits"]
    assert "error: degenerate box (2)" in text and "object 2 'cat': a box without area: 7 7 7 30" in text, text
    assert text.endswith("2 errors, 1 warning\n"), text
    text = fovea.said("data", "check", voc, "--split", "train", "--classes", "cat", code=program.QUARANTINED)
    assert "unknown class (1)" in text and "'dög <&>' is none of the 1 classes" in text, text
    fovea.refuses("there is no ImageSets/test.txt; there are train, val", "data", "check", voc, "--split", "test", code=1)
    fovea.refuses("there is no such file or folder", "data", "check", folder / "nothing", code=1)
    fovea.refuses("expected boxes of COCO", "data", "check", folder / "voc" / "JPEGImages", code=1)
    fovea.refuses("--one-based: expected a source of Pascal VOC", "data", "check", folder / "coco" / "train.json", "--one-based")


def convert(fovea, folder):
    """Pascal VOC -> COCO -> YOLO -> Pascal VOC."""
    done = fovea.run("data", "convert", folder / "voc", "--to", "coco", "-o", folder / "coco", "--copy-images", code=program.QUARANTINED)
    assert "train: 3 pictures, 3 objects, 1 ignored, 2 classes" in done.stdout, done.stdout
    assert done.stderr.count("left out: ") == 2 and "a box that is not finite: nan 2 3 4" in done.stderr, done.stderr
    for part, pictures in (("train", TRAIN), ("val", VAL)):
        boxes, ignored = read_coco(folder / "coco" / f"{part}.json")
        assert boxes == good(pictures), boxes
        assert len(ignored) == (part == "train"), ignored
    fovea.run("data", "convert", folder / "coco" / "val.json", "--to", "coco", "-o", folder / "cat.json", "--classes", "cat")
    assert read_coco(folder / "cat.json")[0] == [b for b in good(VAL) if b[1] == "cat"]

    one = folder / "yolo"
    done = fovea.run("data", "convert", folder / "voc", "--to", "yolo", "-o", one, "--copy-images", code=program.QUARANTINED)
    assert "1 ignored objects, which YOLO cannot hold" in done.stderr, done.stderr
    for part, pictures in (("train", TRAIN), ("val", VAL)):
        assert read_yolo(one, part) == good(pictures, difficult=False), read_yolo(one, part)
        assert sorted(p.name for p in (one / "images" / part).iterdir()) == [f"{n}.png" for n in pictures]
    fovea.run("data", "convert", one / "data.yaml", "--to", "voc", "-o", folder / "again", "--one-based")
    for part, pictures in (("train", TRAIN), ("val", VAL)):
        shifted = [(n, c, (b[0] + 1, b[1] + 1, b[2], b[3])) for n, c, b in good(pictures, difficult=False)]
        assert read_voc(folder / "again", part) == sorted(shifted), read_voc(folder / "again", part)
    text = fovea.said("data", "check", folder / "again", "--one-based")  # the pictures are found where they lie
    assert "0 errors, 1 warning" in text and "near duplicate" in text, text

    refuses = fovea.refuses
    refuses("expected a folder that is not there or empty", "data", "convert", folder / "voc", "--to", "yolo", "-o", one)
    refuses("expected a folder for 2 splits", "data", "convert", folder / "voc", "--to", "coco", "-o", folder / "x.json")
    refuses("expected another file than the source", "data", "convert", folder / "cat.json", "--to", "coco", "-o", folder / "cat.json")
    refuses("--copy-images: expected a folder", "data", "convert", folder / "voc", "--to", "coco", "-o", folder / "x.json", "--copy-images")
    refuses("--one-based: expected Pascal VOC", "data", "convert", folder / "cat.json", "--to", "coco", "-o", folder / "y", "--one-based")
    refuses("--to", "data", "convert", folder / "voc", "--to", "labelme", "-o", folder / "y")


def show(fovea, folder):
    """Sheets and pictures; the same ones with the same seed."""
    sheets = []
    for seed in (1, 1, 2, 3, 4, 5):
        fovea.run("data", "show", folder / "coco" / "train.json", "-o", folder / "sheet.png", "--count", 2, "--seed", seed)
        sheets.append((folder / "sheet.png").read_bytes())
    assert sheets[0] == sheets[1] and len(set(sheets)) > 1, "the seed chooses nothing"
    width, height = size_of(folder / "sheet.png")
    assert width > 2 * height > 600, (width, height)  # two beside each other
    fovea.run("data", "show", folder / "again", "-o", folder / "shown", "--split", "train")
    assert sorted(p.name for p in (folder / "shown").iterdir()) == ["a.png", "b.png", "c.png"]
    for name, same in (("a", False), ("c", True)):  # c has no objects
        assert size_of(folder / "shown" / f"{name}.png") == (WIDTH, HEIGHT)
        drawn, plain = (rows_of(f) for f in (folder / "shown" / f"{name}.png", folder / "voc" / "JPEGImages" / f"{name}.png"))
        assert (len(drawn) == len(plain)) and (drawn == plain) == same, name
    (folder / "coco" / "images" / "c.png").unlink()
    done = fovea.run("data", "show", folder / "coco" / "train.json", "-o", folder / "some", code=program.QUARANTINED)
    assert "left out: " in done.stderr and "c.png" in done.stderr and len(list((folder / "some").iterdir())) == 2, done.stderr
    fovea.refuses("cannot be written: expected png", "data", "show", folder / "voc", "-o", folder / "sheet.gif")
    fovea.refuses("there is no such folder", "data", "show", folder / "voc", "-o", folder / "no" / "sheet.png")


def rows_of(png):
    """The pixels of a PNG of 8-bit colours, its filters undone."""
    data, at, packed = png.read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw, stride, before, rows = zlib.decompress(packed), 3 * WIDTH, bytes(3 * WIDTH), []
    for y in range(HEIGHT):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            a, b, c = (line[x - 3] if x >= 3 else 0), before[x], (before[x - 3] if x >= 3 else 0)
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            line[x] = (line[x] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
        before = bytes(line)
        rows.append(before)
    return rows


def test(fovea):
    with program.scratch("data") as folder:
        write_voc(folder / "voc")
        convert(fovea, folder)
        check(fovea, folder)
        show(fovea, folder)
        fovea.refuses("expected check, convert, show or info", "data")
    return "checked, converted through three formats, shown"


program.main(test)
