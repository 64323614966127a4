#!/usr/bin/python3
"""A detector from pictures made here to boxes in files: trained by the command, measured by the command and by a script that shares no code
with it, run over a folder; its boxes lie on the pictures' own pixels in every format, on turned, odd and tiled pictures, too.

usage: detect.py FOVEA
"""
import io
import json
import random
import xml.etree.ElementTree as ElementTree

import numpy
from PIL import Image, ImageDraw
from program import DONE, QUARANTINED, USAGE, Page, ledger, main, scratch, table

RECIPE = """fovea: 1
model:
  backbone: {type: resnet, layers: [1, 1, 1], widths: [16, 32, 32], stem: cifar, features: [layer2, layer3]}
  neck: {type: fpn, channels: 32}
  head: {type: detect, convs: 1}
preprocess: {size: 64, resize: letterbox, mean: 0.5, std: 0.25}
train:
  task: detect
  data: shapes
  split: train
  validate: shapes
  validate_split: val
  batch: 8
  steps: 240
  threads: 1
  log_every: 40
  validate_every: 120
  augment: {mosaic: 0.2, scale: [0.6, 1.25]}
  optimizer: {type: adamw, lr: 0.004}
  schedule: {type: cosine, warmup: 20}
"""
CLASSES = ["disc", "square"]


def shapes(rng, width, height):
    """A picture with a few discs and squares that do not touch, and their boxes."""
    noise = numpy.random.RandomState(rng.randrange(1 << 30)).randint(60, 110, (height, width, 3), dtype=numpy.uint8)
    image, boxes = Image.fromarray(noise), []
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        side = rng.randrange(14, 30)
        x, y = rng.randrange(0, width - side), rng.randrange(0, height - side)
        if any(x < b[3] + 3 and b[1] < x + side + 3 and y < b[4] + 3 and b[2] < y + side + 3 for b in boxes) or len(boxes) == 4:
            continue
        name = CLASSES[rng.randrange(2)]
        colour = (230, 60, 50) if name == "disc" else (60, 220, 240)
        (draw.ellipse if name == "disc" else draw.rectangle)([x, y, x + side - 1, y + side - 1], fill=colour)
        boxes.append((name, x, y, x + side, y + side))
    return image, boxes


def write_voc(folder, names, seed):
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for name in names:
        image, boxes = shapes(rng, 64, 56)
        image.save(folder / "JPEGImages" / f"{name}.jpg", quality=95)
        objects = "".join(f"<object><name>{n}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
                          for n, a, b, c, d in boxes)
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation><filename>{name}.jpg</filename><size><width>64</width>"
                                                            f"<height>56</height></size>{objects}</annotation>")


def iou(a, b):
    """Of [x, y, width, height]."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def average_precision(truth, found, category, threshold):
    """COCO's, by the book: greedy by falling score, 101 recalls."""
    objects = [a for a in truth["annotations"] if a["category_id"] == category]
    taken, marks = set(), []
    for d in sorted((d for d in found if d["category_id"] == category), key=lambda d: -d["score"]):
        free = [a for a in objects if a["image_id"] == d["image_id"] and a["id"] not in taken]
        best = max(free, key=lambda a: iou(a["bbox"], d["bbox"]), default=None)
        right = best is not None and iou(best["bbox"], d["bbox"]) >= threshold
        if right:
            taken.add(best["id"])
        marks.append(right)
    right = numpy.cumsum(marks)
    precision = numpy.maximum.accumulate((right / numpy.arange(1, len(marks) + 1))[::-1])[::-1]
    recall = right / len(objects)
    at = numpy.searchsorted(recall, numpy.linspace(0, 1, 101), side="left")
    return numpy.mean([precision[i] if i < len(precision) else 0 for i in at])


def check_measures(fovea, folder, model):
    found_file, truth_file, json_file = folder / "found.json", folder / "truth.json", folder / "eval.json"
    fovea.run("eval", model, "--data", folder / "shapes", "--split", "val", "--predictions", found_file, "--truth", truth_file,
              "--json", json_file, "--curves", folder / "curves.svg", "--confusion", folder / "confusion.svg")
    said, truth, found = (json.loads(f.read_text()) for f in (json_file, truth_file, found_file))
    all_aps = []
    for category in truth["categories"]:
        aps = [average_precision(truth, found, category["id"], t / 100) for t in range(50, 100, 5)]
        told = said["per_class"][str(category["id"])]
        assert abs(told["AP50"] - aps[0]) < 1e-9 and abs(told["AP"] - numpy.mean(aps)) < 1e-9, (category, told, aps)
        all_aps.append(aps)
    assert abs(said["stats"]["AP"] - numpy.mean(all_aps)) < 1e-9, said["stats"]
    again = folder / "again.json"
    fovea.run("eval", "boxes", truth_file, found_file, "--json", again)
    assert json.loads(again.read_text())["stats"] == said["stats"]
    assert said["stats"]["AP50"] > 0.7, said["stats"]
    return said["stats"]["AP50"]


def best_matches(answer, boxes):
    """Each true box has a detection of its class that overlaps it well."""
    for name, *corners in boxes:
        true = [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]
        good = [d for d in answer["detections"] if d["class"] == name and
                iou([d["box"][0], d["box"][1], d["box"][2] - d["box"][0], d["box"][3] - d["box"][1]], true) > 0.6]
        assert good, (name, corners, answer)


def check_formats(out, name, classes):
    """One answer in every format that was written beside it."""
    answer = json.loads((out / f"{name}.json").read_text())
    width, height = answer["width"], answer["height"]
    assert Image.open(out / f"{name}.boxes.jpg").size == (width, height)
    lines = (out / f"{name}.txt").read_text().split("\n")[:-1]
    objects = ElementTree.parse(out / f"{name}.xml").getroot().findall("object")
    assert len(lines) == len(objects) == len(answer["detections"])
    for i, d in enumerate(answer["detections"]):
        x1, y1, x2, y2 = d["box"]
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height and 0 < d["score"] <= 1, d
        label, cx, cy, w, h, score = map(float, lines[i].split())
        assert classes[int(label)] == d["class"] and score == d["score"]
        for got, want in zip((cx * width, cy * height, w * width, h * height), ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)):
            assert abs(got - want) < 1e-6, (lines[i], d)
        assert [float(objects[i].find("bndbox").find(k).text) for k in ("xmin", "ymin", "xmax", "ymax")] == d["box"]
        crop = Image.open(out / f"{name}.{i + 1}.{d['class']}.png")
        assert abs(crop.width - (x2 - x1)) < 2 and abs(crop.height - (y2 - y1)) < 2, (crop.size, d)
    return answer


def check_folder(fovea, folder, model):
    pictures, out = folder / "pictures", folder / "out"
    pictures.mkdir()
    image, boxes = shapes(random.Random(5), 64, 56)
    image.save(pictures / "upright.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # shown turned by a quarter clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(pictures / "turned.jpg", quality=100, subsampling=0, exif=turned)
    wide, wide_boxes = shapes(random.Random(8), 85, 57)
    wide.save(pictures / "wide.png")
    (pictures / "cut.png").write_bytes((pictures / "wide.png").read_bytes()[:300])
    Image.new("RGB", (1, 1)).save(pictures / "dot.png")
    run = ["detect", pictures, "--model", model, "-o", out, "--write", "overlay", "crops", "yolo", "voc", "--report", "--maps", "head.mask.**",
           "--explain", "1"]
    fovea.run(*run, code=QUARANTINED)
    classes = CLASSES
    upright, turned, wide = (check_formats(out, n, classes) for n in ("upright.png", "turned.jpg", "wide.png"))
    best_matches(upright, boxes)
    best_matches(turned, boxes)
    assert (turned["width"], turned["height"]) == (64, 56)
    best_matches(wide, wide_boxes)
    check_formats(out, "dot.png", classes)
    assert list(out.glob("upright.png.head.mask.levels.0.spatial.jpg")) and list(out.glob("upright.png.1.*.jpg"))
    rows = table(out / "detections.csv")
    assert sum(r["file"].endswith("upright.png") for r in rows) == len(upright["detections"])
    coco = json.loads((out / "detections.coco.json").read_text())
    assert [c["name"] for c in coco["categories"]] == classes and len(coco["annotations"]) == len(rows)
    assert "truncated" in ledger(out)["cut.png"]["reason"] or "damaged" in ledger(out)["cut.png"]["reason"]
    page = Page(out / "report.html")
    assert "disc" in page.text and "What was found" in page.text
    before = (out / "wide.png.json").stat().st_mtime_ns
    fovea.run(*run, code=QUARANTINED)
    assert (out / "wide.png.json").stat().st_mtime_ns == before
    return len(rows)


def check_large(fovea, folder, model):
    """Small objects in a large picture are found in windows, at their places, once each."""
    large, boxes = Image.new("RGB", (300, 260), (85, 85, 85)), []
    for x, y in ((5, 7), (120, 90), (231, 199), (60, 180)):
        tile, inside = shapes(random.Random(x), 64, 56)
        large.paste(tile, (x, y))
        boxes += [(n, a + x, b + y, c + x, d + y) for n, a, b, c, d in inside]
    large.save(folder / "large.png")
    said = json.loads(fovea.said("detect", folder / "large.png", "--model", model, "--tile", "80", "--overlap", "0.5", "--json").splitlines()[0])
    best_matches(said, boxes)
    for d in said["detections"]:
        same = [e for e in said["detections"] if e is not d and e["class"] == d["class"] and
                iou([e["box"][0], e["box"][1], e["box"][2] - e["box"][0], e["box"][3] - e["box"][1]],
                    [d["box"][0], d["box"][1], d["box"][2] - d["box"][0], d["box"][3] - d["box"][1]]) > 0.6]
        assert not same, (d, same)
    only = json.loads(fovea.said("detect", folder / "large.png", "--model", model, "--tile", "80", "--classes", "disc", "--json").splitlines()[0])
    assert {d["class"] for d in only["detections"]} == {"disc"}


def moving(count):
    """JPEGs of a disc that crosses a picture from left to right; where its middle is."""
    frames, middles = [], []
    ground = Image.fromarray(numpy.random.RandomState(3).randint(60, 110, (56, 64, 3), dtype=numpy.uint8))
    for i in range(count):
        x, picture, buffer = 2 + i * 36 // (count - 1), ground.copy(), io.BytesIO()
        ImageDraw.Draw(picture).ellipse([x, 16, x + 23, 39], fill=(230, 60, 50))
        picture.save(buffer, "JPEG", quality=95)
        frames.append(buffer.getvalue())
        middles.append(x + 12)
    return frames, middles


def check_video(fovea, folder, model):
    """A video among pictures: a line for each frame, one track, one crossing; damage and interruption; the same without a folder."""
    inputs, out = folder / "videos", folder / "found"
    inputs.mkdir()
    frames, middles = moving(30)
    (inputs / "disc.mjpeg").write_bytes(b"".join(frames))
    (inputs / "no.mp4").write_bytes(b"this is no video" * 40)
    shapes(random.Random(5), 64, 56)[0].save(inputs / "still.png")
    run = ["detect", inputs, "--model", model, "-o", out, "--track", "--line", "middle:50%,0%,50%,100%", "--zone",
           "right:50%,0%;100%,0%;100%,100%;50%,100%", "--maps", "head.mask.levels.0.**", "--report"]
    fovea.run(*run, code=QUARANTINED)
    lines = [json.loads(line) for line in (out / "disc.mjpeg.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(30))
    assert all(a["seconds"] < b["seconds"] for a, b in zip(lines, lines[1:]))
    tracks, events = set(), []
    for line, middle in zip(lines, middles):
        near = [o for o in line["objects"] if o["class"] == "disc" and abs((o["box"][0] + o["box"][2]) / 2 - middle) < 4]
        tracks.update(o["track"] for o in near if "track" in o)
        events += line["events"]
    assert len(tracks) == 1, tracks
    mine = [e for e in events if e["track"] in tracks]
    assert [e["kind"] for e in mine if e["name"] == "middle"] == ["cross"] and any(e["kind"] == "enter" for e in mine), events
    summary = json.loads((out / "disc.mjpeg.json").read_text())
    assert summary["video"]["frames"] == 30 and (summary["video"]["width"], summary["video"]["height"]) == (64, 56)
    disc = next(c for c in summary["classes"] if c["class"] == "disc")
    assert disc["frames"] >= 25 and disc["tracks"] >= 1 and summary["lines"][0]["name"] == "middle"
    for made in ("disc.mjpeg.boxes.mp4", "disc.mjpeg.boxes.jpg", "disc.mjpeg.head.mask.levels.0.spatial.mp4", "still.png.json"):
        assert (out / made).stat().st_size > 100, made
    assert Image.open(out / "disc.mjpeg.boxes.jpg").size == (64, 56)
    assert ledger(out)["no.mp4"]["state"] == "quarantined", ledger(out)["no.mp4"]
    assert [r["class"] for r in table(out / "videos.csv")].count("disc") == 1
    assert "up to" in Page(out / "report.html").text
    before = (out / "disc.mjpeg.json").stat().st_mtime_ns
    fovea.run(*run, code=QUARANTINED)
    assert (out / "disc.mjpeg.json").stat().st_mtime_ns == before
    said = json.loads(fovea.said("detect", inputs / "disc.mjpeg", "--model", model, "--limit", "0.5", "--json").splitlines()[0])
    assert 10 <= said["video"]["frames"] <= 15 and "disc" in fovea.said("detect", inputs / "disc.mjpeg", "--model", model)
    # The drawn video is a video again: as many frames, at the same times.
    again = folder / "again"
    fovea.run("detect", out / "disc.mjpeg.boxes.mp4", "--model", model, "-o", again, "--write", "none")
    times = [json.loads(line)["seconds"] for line in (again / "disc.mjpeg.boxes.mp4.jsonl").read_text().splitlines()]
    first = lines[0]["seconds"]
    assert len(times) == 30 and all(abs(t - times[0] - (line["seconds"] - first)) < 2e-3 for t, line in zip(times, lines))
    assert not (again / "disc.mjpeg.boxes.mp4.boxes.mp4").exists()
    fovea.refuses("3 coordinates", "detect", inputs, "--model", model, "-o", folder / "x", "--line", "a:1,2,3", code=USAGE)


def test(fovea):
    with scratch("detect") as folder:
        write_voc(folder / "shapes", [f"t{i}" for i in range(48)], 1)
        (folder / "shapes/ImageSets/Main/train.txt").write_text("".join(f"t{i}\n" for i in range(48)))
        write_voc(folder / "shapes", [f"v{i}" for i in range(16)], 2)
        (folder / "shapes/ImageSets/Main/val.txt").write_text("".join(f"v{i}\n" for i in range(16)))
        (folder / "recipe.yaml").write_text(RECIPE)
        done = fovea.run("train", folder / "recipe.yaml", "--data-root", folder, "-o", folder / "run")
        assert "2 classes; 48 pictures with" in done.stdout + done.stderr, done.stderr
        model = folder / "run/best.safetensors"
        ap50 = check_measures(fovea, folder, model)
        boxes = check_folder(fovea, folder, model)
        check_large(fovea, folder, model)
        check_video(fovea, folder, model)
        fovea.refuses("circle", "detect", folder / "large.png", "--model", model, "--classes", "circle")
        fovea.refuses("expected one of hard", "detect", folder / "large.png", "--model", model, "--nms", "softest", code=USAGE)
        fovea.refuses("is no detector", "detect", folder / "large.png", "--model", "photo-cbam")
        explained = fovea.run("explain", folder / "large.png", "--model", model, "-o", folder / "maps", code=DONE)
        assert explained.returncode == 0 and list((folder / "maps").glob("large.png.grad_cam*.png"))
        return f"AP50 {ap50:.3f} as measured by two programs; {boxes} boxes in six formats"


main(test)
