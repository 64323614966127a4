#!/usr/bin/python3
"""One rule for which files of a folder are data, whatever reads it: a run, a training, an evaluation. What is left out is said, and what a folder
of results shows belongs to the command at hand.

usage: folders.py FOVEA MAKE_MODEL
"""
import json
import os

import program
from program import QUARANTINED, Page, events, grey_png, ledger, summary, table

RECIPE = """fovea: 1
model: {backbone: {type: resnet18, stem: cifar, widths: [8, 8, 8, 8], layers: [1, 1, 1, 1]}, head: {type: classify}}
preprocess: {size: 32}
train: {task: classify, data: data, validate: data, batch: 4, steps: 2, threads: 1, seed: SEED, optimizer: {type: adamw, lr: 0.001}}
"""
UPSCALER = """fovea: 1
model: {head: {type: a2n_light, scale: 2, width: 8, blocks: 1}}
train: {task: upscale, data: data, validate: data, patch: 8, batch: 2, steps: 2, threads: 1, optimizer: {type: adamw, lr: 0.001}}
"""


def fill(folder):
    """Two classes with everything that real folders hold; the files that are pictures, below `data`."""
    data, elsewhere = folder / "data", folder / "elsewhere"
    for name, grey in (("dark", 0), ("light", 160)):
        for i in range(3):
            file = data / name / ("deep" if i == 2 else ".") / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(grey_png(grey, grey + 90, i))
    elsewhere.mkdir()
    (elsewhere / "linked.png").write_bytes(grey_png(0, 90, 9))
    (data / "dark" / "more").symlink_to(elsewhere)
    (data / "dark" / "more" / "round").symlink_to(data / "dark")
    for name in (".ipynb_checkpoints/0-checkpoint.png", "dark/.ipynb_checkpoints/0-checkpoint.png", "dark/._0.png", "light/.0.png"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(grey_png(0, 90, 1))
    (data / "light" / "notes.txt").write_text("no picture")
    program.unreadable(data / "light")
    (data / "dark" / "clip.EXR").write_bytes(b"v/1\1")
    return {"dark/0.png", "dark/1.png", "dark/deep/2.png", "dark/more/linked.png", "light/0.png", "light/1.png", "light/deep/2.png"}


BAD = {"light/cut.png", "light/empty.jpg", "light/text.png"}
SKIPPED = {"dark/clip.EXR"}


def below(data, paths):
    return {os.path.relpath(p, data) for p in paths}


def one_rule(fovea, folder, upscaler):
    pictures, data = fill(folder), folder / "data"
    for name, text in (("classes.yaml", RECIPE.replace("SEED", "1")), ("upscale.yaml", UPSCALER)):
        (folder / name).write_text(text)
    # A run.
    run = fovea.said("upscale", data, "-o", folder / "large", "--model", upscaler, "--json", code=QUARANTINED)
    by_event = {e: below(data, [l["input"] for l in events(run) if l["event"] == e]) for e in ("done", "quarantined", "skipped")}
    assert by_event == {"done": pictures, "quarantined": BAD, "skipped": SKIPPED}, by_event
    # Trainings, and what they validate with.
    for recipe, out in (("classes.yaml", "classes"), ("upscale.yaml", "upscaled")):
        done = fovea.run("train", folder / recipe, "--data-root", folder, "-o", folder / out, "--quiet")
        assert "left out" in done.stderr, done.stderr
        for part in ("training", "validation"):
            listed = table(folder / out / f"{part}-quarantined.csv")
            assert below(data, [r["path"] for r in listed]) == BAD | SKIPPED and all(r["reason"] for r in listed), listed
    assert below(data, [r["path"] for r in table(folder / "classes" / "validation.csv")]) == pictures
    # Evaluations.
    model = folder / "classes" / "best.safetensors"
    for target in (model, upscaler):
        measured = fovea.run("eval", target, "--data", data, "--json", folder / "scores.json", code=QUARANTINED)
        told = [line for line in measured.stderr.splitlines() if line.startswith("fovea: left out: ")]
        assert len(told) == len(BAD) and all(any(b in line for line in told) for b in BAD), measured.stderr
        assert "skipped: " in measured.stderr and "clip.EXR" in measured.stderr, measured.stderr
    fovea.run("classify", data, "--model", model, "-o", folder / "said", "--quiet", code=QUARANTINED)
    scored = fovea.run("eval", "predictions", folder / "said" / "predictions.csv", data, code=QUARANTINED)
    assert all(f"left out: {data / b}" in scored.stderr for b in BAD) and "top-1" in scored.stdout, scored
    assert len(json.loads((folder / "scores.json").read_text())["sets"]["data"]["images"]) == len(pictures)
    for name in BAD:
        (data / name).unlink()
    fovea.run("eval", model, "--data", data)
    fovea.run("eval", model, "--data", data, "--strict", code=QUARANTINED)
    return model, pictures


def wrong_folders(fovea, folder):
    """A data set in parts is no set of classes; an empty path is not the root."""
    parts = folder / "parts"
    for part in ("train", "validate"):
        for name in ("dark", "light"):
            (parts / part / name).mkdir(parents=True)
            (parts / part / name / "0.png").write_bytes(grey_png(0, 90, 2))
    train = ["train", folder / "classes.yaml", "--data-root", folder, "-o", folder / "never", "--quiet"]
    fovea.refuses("'train', 'validate', which are called as the parts of a data set", *train, "train.data=parts", code=1)
    fovea.refuses("expected a path, got nothing", *train, "train.validate=", code=1)
    fovea.refuses("expected a path, got nothing", *train, "train.data=", code=1)


def skipped(fovea, folder, upscaler):
    given, out = folder / "given", folder / "skips"
    given.mkdir()
    (given / "a.png").write_bytes(grey_png(0, 90, 1))
    (given / "b.exr").write_bytes(b"v/1\1")
    (given / "c.PSD").write_bytes(b"8BPS")
    command = ["upscale", given, "-o", out, "--model", upscaler]
    text = fovea.said(*command, "--report")
    assert "2 images skipped" in text and "b.exr" in text and "c.PSD: images with the extension .psd are not read" in text, text
    last = summary(fovea.said(*command, "--strict", "--json", code=QUARANTINED))
    assert (last["total"], last["up_to_date"], last["skipped"]) == (1, 1, 2) and len(last["skipped_files"]) == 2, last
    assert {n: r["state"] for n, r in ledger(out).items()} == {"a.png": "done", "b.exr": "skipped", "c.PSD": "skipped"}, ledger(out)
    page = Page(out / "report.html").text
    assert "Skipped" in page and "b.exr" in page and "c.PSD" in page, page
    (given / "b.exr").unlink()
    assert summary(fovea.said(*command, "--json"))["skipped"] == 1 and "b.exr" not in ledger(out), ledger(out)
    fovea.refuses("2 of formats that are not read, the first: ", "upscale", given / "*.*[DR]", folder / "data/dark/clip.*", "-o", out,
                  "--model", upscaler)


def belongs(fovea, folder, first, pictures):
    """Two models, two settings, removed inputs: tables and page show what was asked for last, and say what else there is."""
    data, out = folder / "data", folder / "answers"
    (folder / "classes.yaml").write_text(RECIPE.replace("SEED", "2"))
    fovea.run("train", folder / "classes.yaml", "--data-root", folder, "-o", folder / "second", "--quiet")
    second = folder / "second" / "best.safetensors"

    def classify(what, model, top, *more):
        last = summary(fovea.said("classify", what, "--model", model, "--top", top, "-o", out, "--report", "--json", *more))
        files = {row["file"]: row for row in table(out / "predictions.csv")}
        lines = events((out / "predictions.jsonl").read_text())
        assert [line["file"] for line in lines] == list(files), lines
        page = Page(out / "report.html")
        assert len(page.images) == len(files), (len(page.images), list(files))
        return last, files, page.text

    last, files, text = classify(data, first, 2)
    assert len(files) == len(pictures) and (last["of_other_settings"], last["of_other_inputs"]) == (0, 0), last
    last, files, text = classify(data / "dark", second, 1)
    assert below(data / "dark", files) == {os.path.relpath(p, "dark") for p in pictures if p.startswith("dark/")}, files
    assert all("class_2" not in row for row in files.values()), files
    assert (last["of_other_settings"], last["of_other_inputs"]) == (7, 0) and "7 made by another model" in text, (last, text)
    # Three of the other folder's pictures have the same names, and so the same answers' files: those are the new ones' now.
    last, files, text = classify(data / "light", second, 1)
    assert (last["done"], len(files), last["of_other_settings"], last["of_other_inputs"]) == (3, 3, 7, 1), last
    assert "1 of inputs that this run was not given" in text, text
    (data / "light" / "0.png").unlink()
    last, files, text = classify(data / "light", second, 1)
    assert (last["up_to_date"], len(files), last["of_other_inputs"]) == (2, 2, 2), last
    last, files, text = classify(data / "dark", second, 1)
    assert (last["done"], last["up_to_date"], len(files)) == (3, 1, 4), last


def long_names(fovea, folder, upscaler, classifier):
    """A suffix that a name has no room for takes the place of its end; different names stay different."""
    given = folder / "long"
    given.mkdir()
    names = ["ü" * 124 + f"{i}.png" for i in range(2)] + ["n" * 251 + ".png"]
    for i, name in enumerate(names):
        (given / name).write_bytes(grey_png(0, 90, i))
    for command in (["classify", given, "--model", classifier, "-o", folder / "long-classes", "--report"],
                    ["upscale", given, "--model", upscaler, "-o", folder / "long-large", "--maps", "--report"],
                    ["explain", given, "--model", classifier, "-o", folder / "long-why"]):
        last = summary(fovea.said(*command, "--json"))
        assert last["done"] == 3, last
        out = command[command.index("-o") + 1]
        made = [r["output"] for r in ledger(out).values()]
        assert len(set(made)) == 3 and all((out / m).is_file() and len(os.fsencode(m)) <= 255 for m in made), made
        assert "no pictures" not in Page(out / "report.html").text
        assert summary(fovea.said(*command, "--json"))["up_to_date"] == 3
        listing = sorted(os.listdir(out))
        assert all(len(os.fsencode(name)) <= 255 for name in listing), listing
    assert (folder / "long-large" / names[2]).is_file()  # a name that fits is not touched


def test(fovea, make_model):
    with program.scratch("folders") as folder:
        upscaler = folder / "x2.safetensors"
        program.Program(make_model).run(upscaler, 2)
        classifier, pictures = one_rule(fovea, folder, upscaler)
        wrong_folders(fovea, folder)
        skipped(fovea, folder, upscaler)
        belongs(fovea, folder, classifier, pictures)
        long_names(fovea, folder, upscaler, classifier)
    return f"{len(pictures)} pictures for all"


program.main(test)
