#!/usr/bin/python3
"""The figures of the shipped models for scans, with nothing of Fovea's in the measure: `fovea highlight` writes masks and probabilities of the pictures that
a model was neither trained on nor chosen by, numpy compares them with the truth. Beside them what needs no network: a second observer, Otsu's threshold, the mean shape of all others.

usage: region_figures.py FOVEA DATA [MODEL]      DATA holds chase_db1, dsb2018, cxr; MODEL: vessels, nuclei or chest alone
Exit code 1 when a figure is short, 77 (skipped) when the data are not there.
"""
import csv
import pathlib
import sys
import tempfile

import program

try:
    import numpy
    from PIL import Image
except ImportError as missing:
    program.skip(str(missing))

LEVELS = 65536
FOLDS = pathlib.Path(__file__).resolve().parents[2] / "modules" / "zoo" / "chest" / "folds.csv"


def pixels(file):
    return numpy.asarray(Image.open(file))


def dice(found, truth):
    total = found.sum() + truth.sum()
    return 2 * (found & truth).sum() / total if total else 1.0


def auc(probability, truth):
    """Of 16-bit values: how often a pixel of the class has the larger one, ties half."""
    inside = numpy.bincount(probability[truth], minlength=LEVELS).astype(float)
    outside = numpy.bincount(probability[~truth], minlength=LEVELS).astype(float)
    below = numpy.cumsum(outside) - outside
    return (inside * (below + outside / 2)).sum() / (inside.sum() * outside.sum())


def field_of_view(rgb):
    """Between the first and the last pixel of each row that is no black rim."""
    light = rgb.max(axis=2) > 25
    rows = numpy.zeros(light.shape, bool)
    for y, row in enumerate(light):
        if row.sum() > row.size // 20:
            rows[y, row.argmax():row.size - row[::-1].argmax()] = True
    return rows


def smallest_neighbour(labels):
    padded = numpy.pad(labels, 1, constant_values=labels.size + 1)
    height, width = labels.shape
    return numpy.min([padded[1 + dy:1 + dy + height, 1 + dx:1 + dx + width] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)


def components(mask):
    """Labels of connected regions (eight neighbours): each pixel takes the smallest number around it until nothing changes."""
    nothing = mask.size + 1
    labels = numpy.where(mask, numpy.arange(mask.size).reshape(mask.shape), nothing)
    while True:
        spread = numpy.where(mask, smallest_neighbour(labels), nothing)
        inside = spread < nothing
        spread[inside] = spread.ravel()[spread[inside]]  # and what that one has found meanwhile
        if (spread == labels).all():
            return numpy.where(mask, labels + 1, 0)
        labels = spread


def otsu(grey):
    counts = numpy.bincount(grey.ravel(), minlength=256).astype(float)
    below, sums = numpy.cumsum(counts), numpy.cumsum(counts * numpy.arange(256))
    above = below[-1] - below
    with numpy.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return grey > numpy.nanargmax(between)


def matches(found, truth):
    """How many objects overlap one of the truth by more than half of their union, and both counts. Above a half each has one partner at most."""
    found_ids, found_at = numpy.unique(found, return_inverse=True)
    truth_ids, truth_at = numpy.unique(truth, return_inverse=True)
    both = numpy.zeros((found_ids.size, truth_ids.size))
    numpy.add.at(both, (found_at.ravel(), truth_at.ravel()), 1)
    union = both.sum(axis=1)[:, None] + both.sum(axis=0)[None, :] - both
    real = numpy.outer(found_ids > 0, truth_ids > 0)
    return ((both > 0.5 * union) & real).sum(), (found_ids > 0).sum(), (truth_ids > 0).sum()


def highlight(fovea, model, files, out, *more):
    fovea.run("highlight", *files, "--model", model, "-o", out, "--write", "mask", "probability", *more)


def vessels(fovea, data):
    eyes = [data / "chase_db1" / f"Image_{eye}.jpg" for eye in ("09L", "09R", "10L", "10R")]
    truth, second, views = [], [], []
    for eye in eyes:
        truth.append(pixels(eye.with_name(eye.stem + "_1stHO.png")) > 0)
        second.append(pixels(eye.with_name(eye.stem + "_2ndHO.png")) > 0)
        views.append(field_of_view(pixels(eye)))
    inside = lambda planes: numpy.concatenate([p[v] for p, v in zip(planes, views)])
    with tempfile.TemporaryDirectory() as out:
        out = pathlib.Path(out)
        highlight(fovea, "vessels", eyes, out)
        masks = [pixels(next(out.rglob(f"{eye.name}.vessel.mask.png"))) > 0 for eye in eyes]
        probability = [pixels(next(out.rglob(f"{eye.name}.vessel.probability.png"))).astype(numpy.int64) for eye in eyes]
    f1, area = dice(inside(masks), inside(truth)), auc(inside(probability), inside(truth))
    yield f"vessels: F1 {f1:.4f}, at least 0.775; second observer {dice(inside(second), inside(truth)):.4f}", f1 >= 0.775
    yield f"vessels: AUC {area:.4f}, at least 0.975", area >= 0.975


def nuclei(fovea, data):
    pictures = sorted((data / "dsb2018" / "images").iterdir())[::5]
    truth = [pixels(data / "dsb2018" / "labels" / p.name).astype(numpy.int64) for p in pictures]
    with tempfile.TemporaryDirectory() as out:
        out = pathlib.Path(out)
        highlight(fovea, "nuclei", pictures, out)
        found = [pixels(next(out.rglob(f"{p.name}.nucleus.objects.png"))).astype(numpy.int64) for p in pictures]
        masks = [pixels(next(out.rglob(f"{p.name}.nucleus.mask.png"))) > 0 for p in pictures]
    plain = [otsu(numpy.asarray(Image.open(p).convert("L"))) for p in pictures]

    def scores(masks, objects):
        hit, many, there = numpy.sum([matches(o, t) for o, t in zip(objects, truth)], axis=0)
        return numpy.mean([dice(m, t > 0) for m, t in zip(masks, truth)]), 2 * hit / (many + there)

    ours, beside = scores(masks, found), scores(plain, [components(m) for m in plain])
    yield f"nuclei: Dice {ours[0]:.4f}, at least 0.918; Otsu {beside[0]:.4f}", ours[0] >= 0.918
    yield f"nuclei: F1 of objects {ours[1]:.4f}, at least 0.877; Otsu's components {beside[1]:.4f}", ours[1] >= 0.877


def chest(fovea, data):
    with open(FOLDS, newline="") as table:
        held = [row["name"] for row in csv.DictReader(table) if row["fold"] == "0"]
    pictures = [data / "cxr" / "images" / f"{name}.png" for name in held]
    with tempfile.TemporaryDirectory() as out:
        out = pathlib.Path(out)
        highlight(fovea, "chest", pictures, out)
        for organ, least in (("lungs", 0.90), ("heart", 0.85)):
            truth = [pixels(data / "cxr" / "masks" / organ / p.name) > 0 for p in pictures]
            masks = [pixels(next(out.rglob(f"{p.name}.{organ}.mask.png"))) > 0 for p in pictures]
            ours, shape = numpy.mean([dice(m, t) for m, t in zip(masks, truth)]), mean_shape(data / "cxr" / "masks" / organ)
            yield f"chest: {organ} Dice {ours:.4f} on fold 0, at least {least}; mean shape of all others {shape:.4f}", ours >= least


def mean_shape(folder, side=256):
    """Dice of what more than half of all other pictures have, leave one out, at 256 x 256."""
    planes = numpy.array([numpy.asarray(Image.open(f).resize((side, side), Image.NEAREST)) > 0 for f in sorted(folder.iterdir())])
    total = planes.sum(axis=0)
    return numpy.mean([dice(total - p > (len(planes) - 1) / 2, p) for p in planes])


def main():
    fovea, data = program.Program(sys.argv[1]), pathlib.Path(sys.argv[2])
    models = {"vessels": vessels, "nuclei": nuclei, "chest": chest}
    if not (data / "chase_db1").is_dir():
        program.skip(f"{data} is not there")
    short = 0
    for name in sys.argv[3:] or models:
        for line, reached in models[name](fovea, data):
            print(line, flush=True)
            short += not reached
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
