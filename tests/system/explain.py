#!/usr/bin/python3
"""`fovea explain` with the shipped classifier on photographs: maps in each picture's own pixels, blank where the network saw nothing,
tables of attention heads, faithfulness, reruns, what cannot be read, wrong calls.

usage: explain.py FOVEA
"""
import json
import xml.dom.minidom

import numpy
from PIL import Image

import program
from program import QUARANTINED, Page, ledger, summary, table

MODEL = ["--model", "photo-cbam", "--no-tune"]


def json_beside(out, photo):
    return json.loads((out / (photo.name + ".json")).read_text())


def check_map(out, photo, name):
    """Values in the picture's own pixels: finite in the square that the network saw, blank beside it."""
    picture = Image.open(photo)
    values = numpy.load(out / f"{photo.name}.{name}.npy")
    assert values.shape == (picture.height, picture.width) and values.dtype == numpy.float32, (values.shape, values.dtype)
    seen, side = numpy.isfinite(values), round(0.875 * min(picture.size))
    rows, columns = seen.any(1).sum(), seen.any(0).sum()
    assert abs(rows - side) <= 2 and abs(columns - side) <= 2 and seen.sum() == rows * columns, (rows, columns, side)
    top, left = seen.any(1).argmax(), seen.any(0).argmax()
    assert abs(2 * top + rows - picture.height) <= 2 and abs(2 * left + columns - picture.width) <= 2, (top, left)
    inside = values[seen]
    assert inside.max() > inside.min(), "a map of one value"
    overlay = Image.open(out / f"{photo.name}.{name}.png").convert("RGB")
    assert overlay.width == picture.width and overlay.height > picture.height, overlay.size  # the legend below
    colourful = numpy.ptp(numpy.asarray(overlay)[:picture.height].astype(int), axis=2) > 8
    assert colourful[top + 4:top + rows - 4, left + 4:left + columns - 4].mean() > 0.9 and colourful[:, :left - 2].mean() < 0.02
    return values


def grad_cam(fovea, folder, photos):
    out = folder / "cam"
    command = ["explain", *photos, *MODEL, "-o", out, "--faithfulness", "--json"]
    first = summary(fovea.said(*command))
    assert (first["done"], first["left"], first["method"]) == (len(photos), 0, "grad_cam"), first
    for photo in photos:
        facts = json_beside(out, photo)
        (one,) = facts["maps"]
        values = check_map(out, photo, one["name"])
        peak = one["values"]["peak"]
        assert values[int(peak["y"]), int(peak["x"])] >= 0.98 * numpy.nanmax(values), peak
        assert all(0 <= one["faithfulness"][k] <= 1 for k in ("insertion_auc", "deletion_auc")), one
    (scores,) = first["faithfulness"].values()
    assert scores["images"] == len(photos) and scores["insertion_auc"] > scores["deletion_auc"], scores
    page = Page(out / "report.html")
    assert len(page.images) >= len(photos) and "soccer ball" in page.text
    again = summary(fovea.said(*command))
    assert (again["done"], again["up_to_date"]) == (0, len(photos)), again
    return json_beside(out, photos[0])


def other_class(fovea, folder, photo, usual):
    """A synonym in either case names the class; another class has another map."""
    out = folder / "other"
    fovea.said("explain", photo, *MODEL, "-o", out, "--class", "Jersey", "--quiet")
    facts = json_beside(out, photo)
    assert "jersey" in facts["target"]["class"] and facts["target"]["class"] != usual["target"]["class"], facts["target"]
    mine = numpy.load(out / f"{photo.name}.{facts['maps'][0]['name']}.npy")
    theirs = numpy.load(folder / "cam" / f"{photo.name}.{usual['maps'][0]['name']}.npy")
    assert not numpy.allclose(numpy.nan_to_num(mine), numpy.nan_to_num(theirs))


def attention(fovea, folder, photo):
    layers = fovea.said("explain", *MODEL, "--list-layers")
    spatial = [line.split()[0] for line in layers.splitlines() if line.split()[0].endswith(".spatial")]
    assert len(spatial) == 14, layers  # CBAM stands in fourteen blocks
    out = folder / "attention"
    fovea.said("explain", photo, *MODEL, "-o", out, "--method", "attention", "--layer", "**.13.**.spatial", "--statistics",
               "--raw", "png", "--quiet")
    (one,) = json_beside(out, photo)["maps"]
    raw = numpy.asarray(Image.open(out / f"{photo.name}.{one['name']}.raw.png"))
    assert raw.shape == (Image.open(photo).height, Image.open(photo).width) and raw.dtype == numpy.int32 or raw.dtype == numpy.uint16
    rows = table(out / "statistics.csv")
    assert rows and json.loads((out / "statistics.json").read_text()), rows
    xml.dom.minidom.parse(str(out / "statistics.svg"))


def boxes(fovea, folder, photo):
    """The pointing game: a box over the whole picture is always hit, one beside what the network saw never."""
    size = Image.open(photo).size
    for box, hit in (([0, 0, *size], 1), ([0, 0, 2, 2], 0)):
        file = folder / "boxes.json"
        file.write_text(json.dumps({"images": {photo.name: [{"class": "thing", "box": box}]}}))
        said = summary(fovea.said("explain", photo, *MODEL, "-o", folder / "boxes", "--boxes", file, "--json"))
        (scores,) = said["faithfulness"].values()
        assert scores["pointing_game"] == hit, (box, said)


def hostile(fovea, folder, photo):
    bad = program.unreadable(folder / "bad")
    (folder / "bad" / photo.name).write_bytes(photo.read_bytes())
    inputs = [folder / "bad", folder / "no_such.jpg"]
    said = summary(fovea.said("explain", *inputs, *MODEL, "-o", folder / "bad_out", "--json", code=QUARANTINED))
    assert (said["done"], said["quarantined"]) == (1, len(bad) + 1), said
    assert all(ledger(folder / "bad_out")[name]["reason"] for name in bad)
    out = ["-o", folder / "refused"]
    fovea.refuses("-o", "explain", photo, *MODEL)
    fovea.refuses("images", "explain", *MODEL, *out)
    fovea.refuses("no_such", "explain", photo, "--model", "no_such", *out)
    fovea.refuses("no_such", "explain", photo, *MODEL, *out, "--method", "no_such")
    fovea.refuses("no_such", "explain", photo, *MODEL, *out, "--layer", "no_such.**")
    fovea.refuses("no_such", "explain", photo, *MODEL, *out, "--class", "no_such")
    fovea.refuses("no_such", "explain", photo, *MODEL, *out, "--boxes", folder / "no_such.json")
    fovea.refuses("--opacity", "explain", photo, *MODEL, *out, "--opacity", 2)
    assert not (folder / "refused").exists(), "a wrong call made its folder"


def test(fovea):
    photos = program.photographs("messi5", "home")
    with program.scratch("explain") as folder:
        (folder / "bad").mkdir()
        usual = grad_cam(fovea, folder, photos)
        other_class(fovea, folder, photos[0], usual)
        attention(fovea, folder, photos[0])
        boxes(fovea, folder, photos[0])
        hostile(fovea, folder, photos[0])
    return "maps of " + usual["target"]["class"]


program.main(test)
