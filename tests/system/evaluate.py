#!/usr/bin/python3
"""`fovea eval` against figures computed here: PSNR of an upscaler from the files that `fovea upscale` writes, and the accuracy of the
classifier on labels that are known to be right or wrong.

usage: evaluate.py FOVEA
"""
import json
import xml.dom.minidom

import numpy
from PIL import Image

import program
from program import QUARANTINED, events
from psnr import luminance, psnr


def upscaling(fovea, folder):
    photos, scale = program.photographs("butterfly", "home"), 2
    high, low = folder / "set" / f"x{scale}" / "HR", folder / "set" / f"x{scale}" / "LR"
    high.mkdir(parents=True)
    low.mkdir()
    for photo in photos:
        image = Image.open(photo).convert("RGB").crop((0, 0, 160, 120))
        image.save(high / f"{photo.stem}.png")
        image.resize((80, 60), Image.BICUBIC).save(low / f"{photo.stem}.png")
    result = folder / "result.json"
    text = fovea.said("eval", "upscale-x2", "--data", folder / "set", "--json", result, "--no-tune")
    (found,) = json.loads(result.read_text())["sets"].values()
    fovea.said("upscale", low, "-o", folder / "out", "--scale", scale, "--format", "png", "--quiet", "--no-tune")
    for row in found["images"]:
        name = row["image"].split(".")[0] + ".png"
        ours = psnr(luminance(Image.open(high / name)), luminance(Image.open(folder / "out" / name)), scale)
        assert abs(row["psnr_y"] - ours) < 0.03, (row, ours)  # the files are rounded to 8 bits
        assert row["psnr_y"] > row["bicubic_psnr_y"] and 0 < row["bicubic_ssim_y"] < row["ssim_y"] < 1, row
        assert f"{row['psnr_y']:.2f}" in text, text
    mean = numpy.mean([row["psnr_y"] for row in found["images"]])
    assert len(found["images"]) == len(photos) and abs(found["mean"]["psnr_y"] - mean) < 1e-9, found
    fovea.refuses("--teacher", "eval", "upscale-x2", "--data", folder / "set", "--teacher", "photo-cbam", code=64)
    return mean


def classifying(fovea, folder):
    photos = program.photographs("messi5", "home", "baboon", "fruits", "orange", "apple", "board", "butterfly")
    tops = [e["top"] for e in events(fovea.said("classify", *photos, "--model", "photo-cbam", "--json", "--no-tune"))]
    labels = [t[0]["class"] for t in tops]
    labels[1], labels[2] = tops[1][2]["class"], "bookcase"  # one among the five, one nowhere near
    assert "bookcase" not in [t["class"] for t in tops[2]]
    data, result, confusion = folder / "truth.csv", folder / "scores.json", folder / "confusion.svg"
    rows = "".join(f'"{p}","{label}"\n' for p, label in zip(photos, labels))
    data.write_text("path,label\n" + rows)
    command = ["eval", "photo-cbam", "--data", data, "--json", result, "--confusion", confusion, "--no-tune"]
    text = fovea.said(*command)
    scores = json.loads(result.read_text())
    n = len(photos)
    assert scores["images"] == n and scores["precision"] == "f32", {k: scores[k] for k in ("images", "precision")}
    assert abs(scores["top1"] - (n - 2) / n) < 1e-9 and abs(scores["top5"] - (n - 1) / n) < 1e-9, (scores["top1"], scores["top5"])
    assert f"top-1 {(n - 2) / n:.4f}" in text, text[-300:]
    xml.dom.minidom.parse(str(confusion))

    bad = program.unreadable(folder)
    data.write_text("path,label\n" + rows + f'"{folder / bad[0]}","{labels[0]}"\n')
    left_out = fovea.run(*command, code=QUARANTINED)
    assert bad[0] in left_out.stderr and json.loads(result.read_text())["left_out"] == 1, left_out.stderr
    data.write_text("path,label\n" + f'"{photos[0]}","no_such_class"\n')
    fovea.refuses("no_such_class", *command, code=1)
    fovea.refuses("no_such.csv", "eval", "photo-cbam", "--data", folder / "no_such.csv", code=1)
    fovea.refuses("no_such", "eval", "no_such", "--data", data, code=1)
    fovea.refuses("--batch", "eval", "photo-cbam", "--data", data, "--batch", 0)
    return scores["top1"]


def written(fovea, folder):
    """Answers that lie in files, scored without a model."""
    photos = program.photographs("baboon", "home", "messi5")
    fovea.run("classify", *photos, "--model", "photo-cbam", "-o", folder / "answers", "--quiet", "--no-tune")
    firsts = [row["class_1"] for row in program.table(folder / "answers" / "predictions.csv")]
    truth = folder / "written.csv"
    truth.write_text("path,label\n" + "".join(f'"{p}","{c}"\n' for p, c in zip(photos, [firsts[0], "bookcase", firsts[2]])))
    text = fovea.said("eval", "predictions", folder / "answers" / "predictions.csv", truth, "--json", folder / "written.json")
    assert abs(json.loads((folder / "written.json").read_text())["top1"] - 2 / 3) < 1e-9 and "top-1 0.6667" in text, text
    for name, columns in (("truth", 16), ("answer", 12)):  # of 32 x 20: all of the answer is right, a quarter is missed
        mask = numpy.zeros((20, 32), numpy.uint8)
        mask[:, :columns] = 255
        (folder / name).mkdir()
        Image.fromarray(mask).save(folder / name / ("cell.png" if name == "truth" else "cell.jpg.mask.png"))
    fovea.said("eval", "masks", folder / "answer", folder / "truth", "--json", folder / "masks.json")
    (cell,) = json.loads((folder / "masks.json").read_text())["classes"]
    assert abs(cell["dice"] - 2 * 12 / 28) < 1e-9 and abs(cell["iou"] - 12 / 16) < 1e-9, cell
    fovea.refuses("there is no answer for", "eval", "masks", folder / "answers", folder / "truth", code=1)
    fovea.refuses("required", "eval", "masks", folder / "answer")


def test(fovea):
    with program.scratch("evaluate") as folder:
        written(fovea, folder)
        return f"PSNR {upscaling(fovea, folder):.2f} dB, top-1 {classifying(fovea, folder):.3f}"


program.main(test)
