#!/usr/bin/env python3
"""A run over 300 images with ten bad ones, killed by -9 five times, ends like an undisturbed one.

usage: kill_resume.py FOVEA MAKE_MODEL
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

from program import noisy_png

IMAGES, BAD, KILLS = 300, 10, 5


def make_inputs(folder):
    for i in range(IMAGES):
        file = folder / ("a", "b/ü", "b/c d")[i % 3] / f"{i:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        data = noisy_png(40 + i % 17, 30 + i % 13, i)
        if i % (IMAGES // BAD) == 7:  # empty, cut in half, or text
            data = (b"", data[:len(data) // 2], b"this is no picture")[i % 3]
        file.write_bytes(data)


def command(fovea, model, inputs, out):
    return [fovea, "upscale", str(inputs), "-o", str(out), "--model", str(model), "--json"]


def ledger(out):
    records = {}
    for line in (out / "fovea-ledger.jsonl").read_text().splitlines():
        record = json.loads(line)
        record.pop("seconds", None)
        records[json.dumps(record, sort_keys=True)] = None
    return list(records)


def tree(out):
    return {str(f.relative_to(out)): f.read_bytes() for f in out.rglob("*") if f.is_file() and f.name != "fovea-ledger.jsonl"}


def run_whole(arguments):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True)
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def killed_after(arguments, files):
    """Starts a run and kills it once it reported that many more finished files."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    finished = 0
    for line in process.stdout:
        finished += json.loads(line)["event"] == "done"
        if finished >= files:
            break
    time.sleep(random.random() * 0.02)  # anywhere in the work on the next ones
    assert process.poll() is None, "the run ended before it was killed"
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()


def main():
    fovea, make_model = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="fovea-kill-"))
    try:
        model, inputs, calm, killed = (folder / n for n in ("model.safetensors", "in", "calm", "killed"))
        subprocess.run([make_model, str(model), "2"], check=True)
        make_inputs(inputs)
        code, summary = run_whole(command(fovea, model, inputs, calm))
        assert code == 3, code
        assert (summary["done"], summary["quarantined"], summary["left"]) == (IMAGES - BAD, BAD, 0), summary

        for _ in range(KILLS):
            killed_after(command(fovea, model, inputs, killed), 30)
        code, summary = run_whole(command(fovea, model, inputs, killed))
        assert code == 3, code
        assert summary["up_to_date"] >= KILLS * 30, summary
        assert summary["done"] + summary["up_to_date"] == IMAGES - BAD and summary["quarantined"] == BAD, summary

        assert tree(calm) == tree(killed), "outputs differ"
        assert ledger(calm) == ledger(killed), "ledgers differ"

        code, summary = run_whole(command(fovea, model, inputs, killed))
        assert code == 3 and summary["done"] == 0, summary
        print(f"ok: {IMAGES} images, {BAD} quarantined, {KILLS} kills, equal outputs and ledgers")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
