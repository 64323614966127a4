#!/usr/bin/env python3
"""A training killed by -9 several times and resumed ends with the bytes of an undisturbed one.

usage: train_resume.py FOVEA
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from program import noisy_png, tensors

STEPS, KILLS = 400, 4

RECIPE = f"""fovea: 1
model:
  head: {{type: a2n_light, scale: 2, width: 8, blocks: 1}}
train:
  task: upscale
  data: [train]
  validate: [valid]
  patch: 16
  batch: 4
  steps: {STEPS}
  seed: 5
  threads: 1
  loaders: 2
  degrade: {{blur: [0.2, 2], resize: [area, bilinear, bicubic], noise: [0, 10], poisson: [0, 10], jpeg: [30, 100]}}
  ema: 0.99
  clip: 1
  log_every: 20
  validate_every: 100
  checkpoint_every: 10
  optimizer: {{type: adamw, lr: 0.002, weight_decay: 0.01}}
  schedule: {{type: cosine, warmup: 20}}
"""


def logged(out):
    """Steps with their losses and scores; times and the losses of intervals cut by a kill apart."""
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [(r["step"], r.get("score"), r.get("lr")) for r in records]


def start(arguments):
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(arguments):
    process = start(arguments)
    errors = process.communicate()[1]
    assert process.returncode == 0, f"exit code {process.returncode}:\n{errors}"


def killed_at(arguments, log, step, rng):
    """Kills a run with -9 somewhere after it logged `step`: in a step, a checkpoint or a validation."""
    process = start(arguments)
    try:
        until = time.monotonic() + 300
        while not (log.exists() and any(int(json.loads(l)["step"]) >= step for l in log.read_text().split("\n")[:-1])):
            assert process.poll() is None, "the run ended before it was killed:\n" + process.stderr.read()
            assert time.monotonic() < until, f"step {step} was not reached"
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        assert process.poll() is None, "the run ended before it was killed"
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def lines_of(log):
    """0 where there is no file: a run that begins again removes the old one at any moment."""
    try:
        return log.read_text().count("\n")
    except FileNotFoundError:
        return 0


def main():
    fovea = sys.argv[1]
    rng = random.Random()
    folder = Path(tempfile.mkdtemp(prefix="fovea-train-"))
    try:
        for name, count in (("train", 4), ("valid", 1)):
            (folder / name).mkdir()
            for i in range(count):
                (folder / name / f"{i}.png").write_bytes(noisy_png(80, 72, f"{name}{i}"))
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE)
        calm, torn = folder / "calm", folder / "torn"
        command = [fovea, "train", str(recipe), "--data-root", str(folder)]
        finish(command + ["-o", str(calm)])

        for flags, message in (([], "holds another training"), (["--resume", "train.patch=12"], "train.patch was 16, is 12"),
                               (["--resume", "--overwrite"], "expected one of them")):
            wrong = start(command + ["-o", str(calm)] + flags)
            errors = wrong.communicate()[1]
            assert wrong.returncode != 0 and message in errors, f"{flags}: exit code {wrong.returncode}:\n{errors}"

        for kill in range(KILLS):
            step = STEPS * (kill + 1) // (KILLS + 1) // 20 * 20
            killed_at(command + ["-o", str(torn)] + (["--resume"] if kill else []), torn / "log.jsonl", step, rng)
            assert (torn / "last.safetensors").exists(), "no checkpoint was left"
        finish(command + ["-o", str(torn), "--resume"])

        for file in ("last.safetensors", "best.safetensors"):
            a, b = tensors(calm / file), tensors(torn / file)
            assert a.keys() == b.keys(), f"{file}: other tensors"
            differing = [n for n in a if a[n] != b[n]]
            assert not differing, f"{file}: {len(differing)} of {len(a)} tensors differ, first {differing[0]}"
        assert any(n.startswith("optimizer.") for n in tensors(calm / "last.safetensors"))
        assert any(n.startswith("average.") for n in tensors(calm / "last.safetensors"))
        assert logged(calm) == logged(torn), "logs differ"

        other = start(command + ["-o", str(torn), "--overwrite"])
        try:
            log = torn / "log.jsonl"
            until = time.monotonic() + 300
            while not 0 < lines_of(log) < 6:
                assert other.poll() is None and time.monotonic() < until, "it did not begin again"
                time.sleep(0.002)
            second = start(command + ["-o", str(torn), "--resume"])
            errors = second.communicate()[1]
            assert second.returncode == 75 and "another run is writing into this folder" in errors, f"{second.returncode}: {errors}"
        finally:
            other.kill()
            other.communicate()
        print(f"ok: {STEPS} steps, {KILLS} kills, equal weights, averages and optimiser state")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
