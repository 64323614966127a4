#!/usr/bin/python3
"""`fovea eval boxes` against COCO's figures computed here, image by image and with numpy alone, on cases made to be awkward:
tied scores and overlaps, crowds, areas that are not the boxes', more than 100 detections of an image, classes without objects,
boxes without area.

usage: boxes.py FOVEA
"""
import json
import xml.dom.minidom

try:
    import numpy
except ImportError:
    numpy = None

import program

AREAS = {"all": (0, 1e10), "small": (0, 32 ** 2), "medium": (32 ** 2, 96 ** 2), "large": (96 ** 2, 1e10)}
# Name, number of the threshold (none: all), range of areas, detections of an image.
STATS = [("AP", None, "all", 100), ("AP50", 0, "all", 100), ("AP75", 5, "all", 100),
         ("AP_small", None, "small", 100), ("AP_medium", None, "medium", 100), ("AP_large", None, "large", 100),
         ("AR1", None, "all", 1), ("AR10", None, "all", 10), ("AR100", None, "all", 100),
         ("AR_small", None, "small", 100), ("AR_medium", None, "medium", 100), ("AR_large", None, "large", 100)]


def overlaps(found, objects):
    """Detections x objects."""
    d = numpy.array([f["bbox"] for f in found], float).reshape(-1, 1, 4)
    g = numpy.array([o["bbox"] for o in objects], float).reshape(1, -1, 4)
    crowd = numpy.array([bool(o["iscrowd"]) for o in objects], bool)
    low, high = numpy.maximum(d[..., :2], g[..., :2]), numpy.minimum(d[..., :2] + d[..., 2:], g[..., :2] + g[..., 2:])
    sides = high - low
    both = numpy.where((sides > 0).all(-1), sides.prod(-1), 0)
    own, other = d[..., 2:].prod(-1), g[..., 2:].prod(-1)
    either = numpy.where(crowd, own, own + other - both)
    return numpy.divide(both, either, out=numpy.zeros_like(both), where=both > 0)


def match(found, objects, iou, threshold, area):
    """Of each detection whether it finds an object, and whether it counts at all; how many objects there are to find."""
    low, high = AREAS[area]
    ignored = [bool(o["iscrowd"]) or not low <= o["area"] <= high for o in objects]
    order = numpy.argsort(ignored, kind="stable")
    free = numpy.ones(len(objects), bool)
    right, counts = numpy.zeros(len(found), bool), numpy.ones(len(found), bool)
    for i, f in enumerate(found):
        best, most = None, min(threshold, 1 - 1e-10)
        for j in order:
            if best is not None and not ignored[best] and ignored[j]:
                break
            if free[j] and iou[i, j] >= most:
                best, most = j, iou[i, j]
        if best is None:
            counts[i] = low <= f["bbox"][2] * f["bbox"][3] <= high
        else:
            right[i], counts[i] = True, not ignored[best]
            free[best] = bool(objects[best]["iscrowd"])
    return right, counts, len(objects) - sum(ignored)


def curve(right, objects):
    """Precision at 101 recalls of detections in order of their scores; the recall that is reached."""
    right = right.astype(float)
    recall = numpy.cumsum(right) / objects
    precision = numpy.cumsum(right) / (numpy.cumsum(1 - right) + numpy.cumsum(right) + numpy.spacing(1))
    best = numpy.maximum.accumulate(precision[::-1])[::-1]
    at = numpy.searchsorted(recall, numpy.linspace(0, 1, 101), side="left")
    return numpy.append(best, 0)[numpy.minimum(at, len(best))], recall[-1] if len(recall) else 0


def measure(truth, results):
    """(category, range of areas, detections an image) -> 10 curves and 10 recalls, one a threshold; of those with objects."""
    thresholds = numpy.linspace(0.5, 0.95, 10)
    all_figures = {}
    for category in [c["id"] for c in truth["categories"]]:
        images = []
        for image in sorted(i["id"] for i in truth["images"]):
            def mine(entries):
                return [e for e in entries if e["image_id"] == image and e["category_id"] == category]
            objects, found = mine(truth["annotations"]), mine(results)
            best = numpy.argsort([-f["score"] for f in found], kind="stable")[:100]
            found = [found[i] for i in best]
            images.append((found, objects, overlaps(found, objects)))
        for area in AREAS:
            matches = [[match(*image, t, area) for image in images] for t in thresholds]
            objects = sum(m[2] for m in matches[0])
            for most in (1, 10, 100):
                scores = numpy.array([f["score"] for found, _, _ in images for f in found[:most]])
                order = numpy.argsort(-scores, kind="stable")
                rows = []
                for of_images in matches:
                    right = numpy.concatenate([m[0][:most] for m in of_images])[order]
                    counts = numpy.concatenate([m[1][:most] for m in of_images])[order]
                    if objects:
                        rows.append(curve(right[counts], objects))
                if rows:
                    all_figures[category, area, most] = [r[0] for r in rows], [r[1] for r in rows]
    return all_figures


def mean_of(values):
    return float(numpy.mean(values)) if len(values) else -1.0


def expected(truth, results):
    figures = measure(truth, results)
    stats = {}
    for name, threshold, area, most in STATS:
        rows = [f["AR" in name] for (_, a, m), f in figures.items() if (a, m) == (area, most)]
        stats[name] = mean_of([r if threshold is None else r[threshold] for r in rows])
    classes, curves = {}, {}
    for category in [c["id"] for c in truth["categories"]]:
        precisions, recalls = figures.get((category, "all", 100), ([], []))
        classes[str(category)] = {"AP": mean_of(precisions), "AP50": mean_of(precisions[:1]), "AR100": mean_of(recalls)}
        curves[str(category)] = list(precisions[0]) if precisions else [-1.0] * 101
    return {"stats": stats, "per_class": classes, "precision_at_50_all_100": curves}


def case(seed, images, most_objects, most_found, step):
    """Sides and places are multiples of `step`, so that overlaps are often equal; step 0: any numbers."""
    random = numpy.random.default_rng(seed)

    def number(low, high):
        return float(round(random.integers(low, high) * step, 6) if step else random.uniform(low, high))

    def box():
        sides = [number(0, 40) if random.random() < 0.7 else number(30, 100) for _ in range(2)]
        return [number(0, 30), number(0, 30), *sides]
    categories = [{"id": int(i), "name": f"class <{i}>"} for i in random.permutation([1, 7, 2 ** 40, 3])]
    ids = [int(i) for i in random.permutation(images * 5)[:images] + 2 ** 53]
    truth = {"images": [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480} for i in ids], "annotations": [],
             "categories": categories}
    results = []
    for image in ids:
        mine = []
        for _ in range(random.integers(0, most_objects + 1)):
            bbox = box()
            area = float(random.choice([1024, 9216, 100, 20000, 0])) if random.random() < 0.3 else bbox[2] * bbox[3]
            mine.append({"id": len(truth["annotations"]) + len(mine) + 1, "image_id": image,
                         "iscrowd": int(random.random() < 0.15), "bbox": bbox, "area": area,
                         "category_id": int(random.choice([c["id"] for c in categories[1:]])),
                         "ignore": int(random.integers(2)), "segmentation": [[0, 0, 1, 1]]})
        truth["annotations"] += mine
        for _ in range(random.integers(0, most_found + 1)):
            near = mine[random.integers(len(mine))] if mine and random.random() < 0.7 else None
            bbox = [v + number(-3, 4) for v in near["bbox"]] if near else box()
            category = near["category_id"] if near else random.choice([c["id"] for c in categories])
            score = float(random.integers(8) / 8) if step else float(random.random())
            results.append({"image_id": image, "category_id": int(category), "bbox": bbox, "score": score})
    return truth, [results[i] for i in random.permutation(len(results))]


def difference(a, b):
    """The largest between numbers at equal places."""
    if isinstance(a, dict):
        assert set(a) <= set(b), (set(a), set(b))
        return max((difference(a[k], b[k]) for k in a), default=0)
    if isinstance(a, list):
        assert len(a) == len(b), (len(a), len(b))
        return max(map(difference, a, b), default=0)
    return abs(a - b)


def figures(fovea, folder):
    truth_file, results_file, out = folder / "truth.json", folder / "results.json", folder / "out.json"
    largest = 0
    cases = [(seed, 1 + seed % 12, 6, 14, step) for seed in range(24) for step in (0, 1, 0.1)]
    for options in cases + [(99, 4, 40, 600, 0), (100, 3, 40, 600, 1)]:
        truth, results = case(*options)
        truth_file.write_text(json.dumps(truth))
        results_file.write_text(json.dumps(results))
        fovea.said("eval", "boxes", truth_file, results_file, "--json", out, "--resamples", 20)
        got = json.loads(out.read_text())
        worst = difference(expected(truth, results), got)
        assert worst < 1e-9, (options, worst, got["stats"], expected(truth, results)["stats"])
        largest = max(largest, worst)
    return f"{len(cases) + 2} cases, largest difference {largest:.1e}"


def pictures(fovea, folder):
    truth, results = case(1, 12, 6, 14, 1)
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    curves, confusion, out = folder / "curves.svg", folder / "confusion.svg", folder / "out.json"
    text = fovea.said("eval", "boxes", folder / "truth.json", folder / "results.json", "--json", out,
                      "--curves", curves, "--confusion", confusion, "--score", 0.5)
    got = json.loads(out.read_text())
    for file in (curves, confusion):
        xml.dom.minidom.parse(str(file))
    for name, value in got["stats"].items():
        assert name in text and (value < 0 or f"{value:.4f}" in text), (name, value, text)
    counts = numpy.array(got["confusion"]["counts"])
    objects = [sum(not a["iscrowd"] and a["category_id"] == c["id"] for a in truth["annotations"]) for c in truth["categories"]]
    assert list(counts.sum(1)[:-1]) == objects and got["confusion"]["names"][-1] == "background", (counts, objects)
    for id, interval in got["AP50_intervals"].items():
        assert interval["low"] <= got["per_class"][id]["AP50"] <= interval["high"], (id, interval)


def wrong(fovea, folder):
    truth, results = case(2, 3, 6, 14, 1)
    truth_file, results_file = folder / "truth.json", folder / "results.json"

    def refused(message, truth_text=json.dumps(truth), results_text=json.dumps(results)):
        truth_file.write_text(truth_text)
        results_file.write_text(results_text)
        fovea.refuses(message, "eval", "boxes", truth_file, results_file, code=1)
    truth_file.write_text(json.dumps(truth))
    fovea.refuses("none.json", "eval", "boxes", truth_file, folder / "none.json", code=1)
    fovea.refuses("required", "eval", "boxes", truth_file)
    fovea.refuses("--score", "eval", "boxes", truth_file, results_file, "--score", "high")
    refused("truth.json: it is not JSON", truth_text="{")
    refused("nested deeper", truth_text="[" * 200000)
    refused('"categories" is missing', truth_text="{}")
    refused("it is not JSON", results_text='[{"score": NaN}]')
    refused("it is not JSON", results_text=json.dumps(results).replace('"score": ', '"score": 1e999', 1))
    unknown, text = {**results[0], "image_id": 4}, {**results[0], "bbox": [1, "2", 3, 4]}
    refused("results.json: [0].image_id: expected an id that is there", results_text=json.dumps([unknown]))
    refused("results.json: [0].bbox[1]: expected a number, got text", results_text=json.dumps([text]))
    refused("images[3].id", truth_text=json.dumps({**truth, "images": truth["images"] + truth["images"]}))
    text = json.dumps(truth)
    for cut in range(0, len(text), max(1, len(text) // 20)):
        refused("it is not JSON", truth_text=text[:cut])


def test(fovea):
    if numpy is None:
        program.skip("no numpy")
    with program.scratch("boxes") as folder:
        said = figures(fovea, folder)
        pictures(fovea, folder)
        wrong(fovea, folder)
        return said


program.main(test)
