#!/usr/bin/env python3
"""The README's classifier, trained by the command on pictures made here: a run that was interrupted ends as one that was not, what
cannot be read is put aside, and the evaluation agrees with the confusion matrix that it writes.

usage: train_classify.py FOVEA README
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom
from pathlib import Path

from program import grey_png, tensors

PUPIL = """fovea: 1
model: {backbone: {type: resnet18, stem: cifar, widths: [8, 8, 16, 16], layers: [1, 1, 1, 1]}, head: {type: classify}}
preprocess: {size: 32}
train:
  task: distill
  photos: ["photos/dim & dark"]
  validate: [calm/validation.txt]
  teacher:
    model: calm/best.safetensors
    forcing: 0.5
    features: [{teacher: backbone.layer4, student: backbone.layer4}]
  batch: 4
  steps: 3
  threads: 1
"""
CLASSES = {"dim & dark": (0, 90), "bright": (165, 255)}


def run(arguments, code=0):
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def interrupted(arguments, log, records):
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 300
    while not (log.exists() and log.read_text().count("\n") >= records):
        assert process.poll() is None, "the run ended before it was interrupted:\n" + process.stderr.read()
        assert time.monotonic() < until, "the log did not grow"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 75 and "--resume" in errors, f"exit code {process.returncode}:\n{errors}"


def main():
    fovea, readme = sys.argv[1:3]
    recipe = re.search(r"```yaml\n(.*?)```", Path(readme).read_text(), re.S).group(1)
    folder = Path(tempfile.mkdtemp(prefix="fovea-classify-"))
    try:
        (folder / "recipe.yaml").write_text(recipe)
        for name, (low, high) in CLASSES.items():
            (folder / "photos" / name).mkdir(parents=True)
            for i in range(16):
                (folder / "photos" / name / f"{i}.png").write_bytes(grey_png(low, high, f"{name}{i}"))
        (folder / "photos" / "bright" / "cut.png").write_bytes(grey_png(*CLASSES["bright"], "cut")[:200])
        small = ["preprocess.size=32", "model.backbone.widths=[8, 8, 16, 16]", "model.backbone.layers=[1, 1, 1, 1]", "train.batch=4",
                 "train.epochs=8", "train.optimizer.lr=0.002", "train.validate_share=0.25", "train.threads=1", "train.log_every=2", "train.schedule.warmup=5",
                 "train.weights="]
        train = [fovea, "train", str(folder / "recipe.yaml"), *small, "--data-root", str(folder)]
        calm, torn = folder / "calm", folder / "torn"
        said = run(train + ["-o", str(calm)])
        assert "2 classes" in said and "could not be used" in said, said
        interrupted(train + ["-o", str(torn)], torn / "log.jsonl", 3)
        run(train + ["-o", str(torn), "--resume"])
        for file in ("last.safetensors", "best.safetensors"):
            a, b = tensors(calm / file), tensors(torn / file)
            assert a == b, f"{file}: the interrupted run ended otherwise"

        bad = [p for p in calm.glob("*-quarantined.csv")]
        assert len(bad) == 1 and "cut.png" in bad[0].read_text(), bad
        best = str(calm / "best.safetensors")
        out = run([fovea, "eval", best, "--data", str(calm / "validation.csv"), "--json", str(folder / "e.json"), "--confusion",
                   str(folder / "c.svg")])
        result = json.loads((folder / "e.json").read_text())
        total = sum(map(sum, result["confusion"]))
        assert total == result["images"] and [c["name"] for c in result["classes"]] == sorted(CLASSES), result
        right = sum(result["confusion"][i][i] for i in range(2))
        assert abs(result["top1"] - right / total) < 1e-9 and result["top1"] >= 0.9, out
        xml.dom.minidom.parse(str(folder / "c.svg"))
        run([fovea, "eval", best, "--data", str(folder / "photos")], code=3)  # the cut picture is left out and said

        alike = run([fovea, "eval", best, "--teacher", best, "--data", str(folder / "photos" / "dim & dark")])
        assert "top-1 1.0000" in alike, alike  # nobody disagrees with himself

        pictures = sorted((folder / "photos" / "dim & dark").iterdir())[:4]
        (calm / "validation.txt").write_text("".join(f"{p}\n" for p in pictures))
        (folder / "student.yaml").write_text(PUPIL)  # learns without labels, and takes its classes from the teacher
        run([fovea, "train", str(folder / "student.yaml"), "--data-root", str(folder), "-o", str(folder / "student")])
        taught = run([fovea, "eval", str(folder / "student" / "best.safetensors"), "--teacher", best, "--data",
                      str(folder / "photos" / "dim & dark")])
        assert "2 classes" in taught, taught

        os.rename(folder / "photos" / "bright", folder / "photos" / "glossy")
        assert "'glossy' is none of the model's 2 classes" in run([fovea, "eval", best, "--data", str(folder / "photos")], code=1)
        for change, message in (("train.loss=l1", "loss"), ("train.class_weights=some", "balanced"), ("train.stepz=1", "stepz"),
                                ("train.score=f2", "macro_f1"), ("train.data=nowhere", "nowhere"), ("train.batch=0", "batch")):
            said = run(train + ["-o", str(folder / "bad"), change], code=1)
            assert message in said, f"{change}: {said}"
        (folder / "photos" / "lone").mkdir()
        (folder / "photos" / "lone" / "1.png").write_bytes(grey_png(100, 150, "lone"))
        assert "the class 'lone' has a single image" in run(train + ["-o", str(folder / "bad")], code=1)
        print("ok:", out.strip().splitlines()[-1])
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
