#!/usr/bin/python3
"""Names and texts from outside go through every command that writes a report, a table or a line on a terminal, and are nothing but text there:
no script in a page, no formula in a table, no control character on a terminal.

usage: outside_text.py FOVEA
"""
import csv
import io
import json
import os
import re
import xml.dom.minidom

from PIL import Image
from program import DONE, QUARANTINED, check_policy, main, noisy_png, read_safetensors, scratch, write_safetensors

# As names of classes; those of files may hold anything but a slash.
CLASSES = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"]
FILES = [b"<script>alert(1)<script>", b"=cmd|' !A0", b"+1", b"-1", b"@SUM", b"esc\x1b[31m", b"new\nline", b"tab\treturn\r",
         b"bad\xff\xfe", b"c1\xc2\x9b31m", b"bidi\xe2\x80\xaegpj", b"del\x7f"]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TERMINAL = re.compile(CONTROL.pattern + "|[\u2028-\u202e\u2066-\u2069]")  # in a page direction is harmless

NETWORK = "backbone: {type: resnet18, stem: cifar, widths: [8, 8], layers: [1, 1]}"
CLASSIFY = f"""fovea: 1
model: {{{NETWORK}, head: {{type: classify}}}}
preprocess: {{size: 32}}
train: {{task: classify, data: [labels.csv], validate: [labels.csv], batch: 4, steps: 1, threads: 1}}
"""
DETECT = """fovea: 1
model:
  backbone: {type: resnet, layers: [1, 1], widths: [8, 8], stem: cifar, features: [layer1, layer2]}
  neck: {type: fpn, channels: 8}
  head: {type: detect, convs: 1}
preprocess: {size: 32, resize: letterbox}
train: {task: detect, data: boxes.json, validate: boxes.json, batch: 4, steps: 1, threads: 1}
"""
SEGMENT = f"""fovea: 1
model: {{backbone: {{type: attention_unet, widths: [4, 8]}}, head: {{type: segment, classes: {json.dumps(CLASSES)}}}}}
preprocess: {{resize: none}}
train: {{task: segment, data: masked, crop: 16, batch: 2, steps: 1, threads: 1}}
"""


class Checked:
    """Runs the command and holds what it says and writes to the rules."""

    def __init__(self, fovea):
        self.fovea, self.commands, self.files = fovea, 0, 0

    def run(self, *arguments, code=DONE, out=None, text=""):
        done = self.fovea.run(*arguments, code=code, text=text)  # decoding fails for what is not UTF-8
        for stream in (done.stdout, done.stderr):
            found = TERMINAL.search(stream)
            assert not found, f"{arguments}: {found[0]!r} in {stream[max(0, found.start() - 80):found.end() + 80]!r}"
        self.commands += 1
        for file in sorted(out.rglob("*")) if out else []:
            self.look(file)
        return done

    def look(self, file):
        kind = file.suffix if file.is_file() else ""
        if kind == ".html":
            page = file.read_text()
            check_policy(page, file)
            assert "<script>alert" not in page and not CONTROL.search(page), file
        elif kind == ".csv":
            for row in csv.reader(io.StringIO(file.read_text(errors="surrogateescape"), newline="")):
                for cell in row:
                    harmless = cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", cell)
                    assert harmless, (file, cell)
                    assert cell not in CLASSES[2:4], f"{file}: {cell!r}, which is text, would be computed with"
        elif kind in (".svg", ".xml"):
            assert not xml.dom.minidom.parse(os.fsencode(file).decode(errors="surrogateescape")).getElementsByTagName("script"), file
        elif kind == ".json":
            json.loads(file.read_text())
        else:
            return
        self.files += 1


def write_pictures(folder, unreadable=True):
    """A picture of each name, and one of each that cannot be read."""
    folder.mkdir(parents=True)
    for i, name in enumerate(FILES):
        (folder / os.fsdecode(name + b".png")).write_bytes(noisy_png(40, 36, i))
        if unreadable:
            (folder / os.fsdecode(b"cut " + name + b".png")).write_bytes(noisy_png(40, 36, i)[:90])
    return folder


def write_labels(folder, pictures):
    """A table that gives the pictures to the classes by turns."""
    with open(folder / "labels.csv", "w", newline="", errors="surrogateescape") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL)
        table.writerow(["path", "label"])
        for i, picture in enumerate(sorted(pictures.iterdir())):
            table.writerow([picture, CLASSES[i % len(CLASSES)]])


def write_boxes(file, pictures, names):
    images, annotations = [], []
    for i, name in enumerate(names):
        images.append({"id": i, "file_name": os.fsdecode(pictures / os.fsdecode(name + b".png")), "width": 40, "height": 36})
        annotations.append({"id": 2 * i, "image_id": i, "category_id": i % len(CLASSES), "bbox": [4, 4, 20, 20]})
        annotations.append({"id": 2 * i + 1, "image_id": i, "category_id": i % len(CLASSES), "bbox": [4, 4, -2, 20]})  # no box
    coco = {"images": images, "annotations": annotations, "categories": [{"id": i, "name": c} for i, c in enumerate(CLASSES)]}
    file.write_text(json.dumps(coco))


def write_masked(folder):
    mask = io.BytesIO()
    Image.frombytes("L", (32, 32), bytes(x // 8 for _ in range(32) for x in range(32))).save(mask, "png")
    for part, picture in (("images", noisy_png(32, 32, 1)), ("masks", mask.getvalue())):
        (folder / part).mkdir(parents=True)
        for name in FILES:
            (folder / part / os.fsdecode(name + b".png")).write_bytes(picture)
    (folder / "images" / os.fsdecode(b"cut \x1b[2J\n.png")).write_bytes(b"\x89PNG")


def train(checked, folder, name, recipe):
    (folder / f"{name}.yaml").write_text(recipe)
    checked.run("train", folder / f"{name}.yaml", "--data-root", folder, "-o", folder / f"run-{name}", out=folder / f"run-{name}")
    return folder / f"run-{name}/best.safetensors"


def run_verbs(checked, folder, models, pictures):
    for verb, model, options in (("classify", models["classify"], ["--report"]),
                                 ("detect", models["detect"], ["--report", "--conf", 0.001, "--max-det", 5, "--write", "overlay", "crops", "voc", "yolo"]),
                                 ("segment", models["segment"], ["--report"]), ("upscale", "upscale-x2", ["--report"]),
                                 ("explain", models["classify"], ["--method", "grad_cam", "--faithfulness"])):
        out = folder / f"out-{verb}"
        command = [verb, pictures, "--model", model, "--no-tune"]
        checked.run(*command, "-o", out, *options, code=QUARANTINED, out=out)
        assert list(out.glob("*.html")), verb
        checked.run(*command, "-o", out, *options, "--json", code=QUARANTINED)
        if verb in ("classify", "detect"):
            checked.run(*command, code=QUARANTINED)
            checked.run(*command, "--json", code=QUARANTINED)
    assert list((folder / "out-classify").glob("*.csv")) and list((folder / "out-detect").glob("*.csv"))


def run_measures(checked, folder, models):
    out = folder / "measured"
    out.mkdir()
    checked.run("eval", models["classify"], "--data", folder / "labels.csv", "--json", out / "c.json", "--confusion", out / "c.svg",
                code=QUARANTINED, out=out)
    checked.run("eval", models["detect"], "--data", folder / "boxes.json", "--json", out / "d.json", "--curves", out / "d.svg", "--confusion",
                out / "dc.svg", out=out)
    checked.run("eval", models["segment"], "--data", folder / "masked", "--json", out / "s.json", code=QUARANTINED, out=out)
    study = folder / "study"
    checked.run("study", folder / "classify.yaml", "--data-root", folder, "-o", study, "--blocks", "none,se@backbone.layer2.*.pre_add",
                "--at", "backbone.layer1.*.pre_add", "--seeds", 1, "--pictures", 1, "--no-tune", out=study)


def run_data(checked, folder):
    out = folder / "data"
    out.mkdir()
    checked.run("data", "check", folder / "boxes.json", "--json", out / "check.json", code=QUARANTINED, out=out)
    checked.run("data", "show", folder / "boxes.json", "-o", out / "show.png")
    checked.run("data", "show", folder / "boxes.json", "-o", out / "show", out=out)
    for form in ("coco", "voc", "yolo"):
        checked.run("data", "convert", folder / "plain.json", "--to", form, "-o", out / form, code=QUARANTINED, out=out)
        # Lists of names and XML cannot hold them all.
        checked.run("data", "convert", folder / "boxes.json", "--to", form, "-o", out / f"all-{form}",
                    code=QUARANTINED if form == "coco" else 1, out=out)


def run_descriptions(checked, folder, models):
    tensors, metadata = read_safetensors(models["classify"])
    named = folder / os.fsdecode(b"m\x1b[31m\n<script>\xff.safetensors")
    write_safetensors(named, tensors, {**metadata, "license": "\x1b[2J<script>", "note": "\x1b[31m"})
    for command in (["describe", named], ["describe", named, "--json"], ["list", "slots", named], ["plan", named, "--runs", 1]):
        checked.run(*command)
    checked.run("classify", folder / "pictures", "--model", named, "-o", folder / "named", "--report", code=QUARANTINED, out=folder / "named")
    hostile = folder / "hostile.yaml"
    for text in (CLASSIFY.replace("type: classify", 'type: "\x7f\\e[31m"'), CLASSIFY.replace("size: 32", '"\\e[2J\\n": 1'),
                 CLASSIFY.replace("type: classify", 'type: classify, classes: ["a\\e[31m", "b\\nc"]'), "\x1b[31m: [", "fovea: 1\nmodel: \x00"):
        hostile.write_text(text)
        checked.run("describe", hostile, code=1)
        checked.run("train", hostile, "-o", folder / "never", code=1)
    checked.run("describe", folder / os.fsdecode(b"no\x1b[31m\xff.safetensors"), code=1)
    checked.run("classify", folder / "no\x1b[31m.png", "--model", models["classify"], code=64)
    checked.run("classify", folder, "--model", "\x1b[31m", "--no\x1b[2J", code=64)


def test(fovea):
    with scratch("outside-text") as folder:
        checked = Checked(fovea)
        pictures = write_pictures(folder / "pictures")
        write_labels(folder, pictures)
        write_boxes(folder / "boxes.json", pictures, FILES[:8])
        write_boxes(folder / "plain.json", pictures, FILES[:5])
        write_masked(folder / "masked")
        models = {name: train(checked, folder, name, recipe)
                  for name, recipe in (("classify", CLASSIFY), ("detect", DETECT), ("segment", SEGMENT))}
        run_verbs(checked, folder, models, pictures)
        run_measures(checked, folder, models)
        run_data(checked, folder)
        run_descriptions(checked, folder, models)
        return f"{checked.commands} commands and {checked.files} files hold nothing but text"


main(test)
