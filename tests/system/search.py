#!/usr/bin/python3
"""Pictures by sentences: a small model learns colours and shapes from captions, a run that was interrupted ends with the bytes of one that was
not, `fovea eval` agrees with recalls counted here from what `fovea search` says, and the index of a folder follows the folder.

usage: search.py FOVEA
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy

import program
from program import DONE, QUARANTINED, TRY_AGAIN, Page, events, png_of, read_safetensors, summary, tensors, write_safetensors

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 50, 220), "yellow": (230, 220, 30)}
KINDS = ["square", "stripes"]
SENTENCES = ["a {0} {1}", "the {1} is {0}", "one {0} {1} on grey", "{0} {1}", "here is a {1} that is {0}"]
RECIPE = """fovea: 1
license: {{weights: Apache-2.0, data: CC0-1.0}}
model:
  backbone: {{type: resnet18, stem: cifar, layers: [1, 1, 1], widths: [8, 16, 24]}}
  head: {{type: retrieve, form: {form}, words: 16, width: 32{more}}}
preprocess: {{size: 24, resize: stretch, mean: 0.5, std: 0.5}}
train:
  task: retrieve
  data: set
  split: train
  validate_split: dev
  encoder: {encoder}
  least: 1
  batch: 8
  steps: {steps}
  negatives: all
  seed: 2
  threads: 1
  log_every: 5
  validate_every: {steps}
  checkpoint_every: 5
  augment: {{crop: false, flip: 0.5}}
  optimizer: {{type: adam, lr: 0.004}}
"""
REAL = """fovea: 1
model:
  backbone: {type: mobilenet_v2, padding: same}
  attention:
    - {at: "backbone.features.{4,5,6,7,8,9,10,11,12,13,14,15,16,17}.pre_add", type: cbam, reduction: 8}
  head: {type: retrieve, form: scan, gathers: mean, words: 64, width: 64}
preprocess: {size: 96, mean: 0.5, std: 0.5}
train:
  task: retrieve
  weights: photo-cbam
  freeze: ["backbone.**"]
  data: real
  validate: real
  least: 1
  batch: 12
  steps: 60
  negatives: all
  log_every: 10
  validate_every: 60
  augment: {crop: false, flip: 0}
  optimizer: {type: adam, lr: 0.003}
"""
# A value in f16 is off by 2^-11 of itself at most, so that the cosine of two vectors of length 1, one of them rounded, is by that;
# sums of 32 products in f32 add less than 2^-18.
ROUNDING = 2 ** -11 + 2 ** -18


def picture(colour, kind, seed):
    rng = random.Random(seed)
    left, top = rng.randrange(4, 10), rng.randrange(4, 10)

    def pixel(x, y):
        inside = left <= x < left + 16 and top <= y < top + 16 and (kind == "square" or (x // 3) % 2 == 0)
        return [max(0, min(255, (COLOURS[colour][c] if inside else 128) + rng.randrange(-12, 12))) for c in range(3)]
    return png_of(32, 32, pixel)


def make_set(folder):
    """Pictures of every colour and kind, four to learn from and one to measure on, with five captions each, as Flickr8k keeps them."""
    (folder / "images").mkdir(parents=True)
    lines, parts = [], {"train": [], "dev": []}
    for i, (colour, kind) in enumerate((c, k) for c in COLOURS for k in KINDS):
        for copy in range(5):
            name = f"{i}{copy}.png"
            (folder / "images" / name).write_bytes(picture(colour, kind, 10 * i + copy))
            lines += [f"{name}#{n}\t{s.format(colour, kind)} ." for n, s in enumerate(SENTENCES)]
            parts["dev" if copy == 4 else "train"].append(name)
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")
    for part, names in parts.items():
        (folder / f"{part}.txt").write_text("\n".join(names) + "\n")
    return lines, parts


def train(fovea, folder, name, **options):
    options = {"form": "global", "more": "", "encoder": "words", "steps": 60} | options
    recipe = folder / f"{name}.yaml"
    recipe.write_text(RECIPE.format(**options))
    fovea.said("train", recipe, "--data-root", folder, "-o", folder / name)
    return folder / name / "best.safetensors"


def killed_and_resumed(fovea, folder):
    """The same training, killed and gone on with."""
    out = folder / "again"
    command = [fovea.file, "train", str(folder / "whole.yaml"), "--data-root", str(folder), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not (out / "last.safetensors").exists():
        assert process.poll() is None and time.monotonic() < until, "there was no checkpoint to kill at"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    fovea.said(*command[1:], "--resume")
    assert (out / "best.safetensors").read_bytes() == (folder / "whole" / "best.safetensors").read_bytes()
    assert tensors(out / "last.safetensors") == tensors(folder / "whole" / "last.safetensors")


def bounds(ranks_low, ranks_high, k):
    return sum(r <= k for r in ranks_high) / len(ranks_high), sum(r <= k for r in ranks_low) / len(ranks_low)


def evaluated(fovea, folder, model, lines, dev):
    """Recalls of sentences that look for pictures, counted from what searches say."""
    fovea.said("eval", model, "--data", folder / "set", "--split", "dev", "--json", folder / "e.json")
    found = json.loads((folder / "e.json").read_text())
    assert (found["pictures"], found["captions"]) == (len(dev), 5 * len(dev)), found
    (folder / "dev").mkdir(exist_ok=True)
    for name in dev:
        shutil.copy(folder / "set" / "images" / name, folder / "dev" / name)
    scores = {}  # (picture, caption's number) -> score
    captions = [line.split("\t")[1] for line in lines if line.split("#")[0] in dev]
    owners = [line.split("#")[0] for line in lines if line.split("#")[0] in dev]
    for sentence in sorted(set(captions)):
        said = summary(fovea.said("search", sentence, folder / "dev", "--model", model, "-n", 1000, "--json"))
        for result in said["results"]:
            for n, caption in enumerate(captions):
                if caption == sentence:
                    scores[os.path.basename(result["file"]), n] = result["score"]
    images = sorted(dev)
    for direction in ("text_to_image", "image_to_text"):
        low, high = [], []
        for query in (range(len(captions)) if direction == "text_to_image" else images):
            if direction == "text_to_image":
                own, others = scores[owners[query], query], [scores[i, query] for i in images if i != owners[query]]
            else:
                own = max(scores[query, n] for n in range(len(captions)) if owners[n] == query)
                others = [scores[query, n] for n in range(len(captions)) if owners[n] != query]
            low.append(1 + sum(o > own + 2 * ROUNDING for o in others))
            high.append(1 + sum(o >= own - 2 * ROUNDING for o in others))
        for k in (1, 5, 10):
            least, most = bounds(low, high, k)
            assert least <= found[direction][f"recall_at_{k}"] <= most, (direction, k, found, least, most)
        median = found[direction]["median_rank"]
        assert sorted(low)[(len(low) - 1) // 2] <= median <= sorted(high)[len(high) // 2], (direction, found)
    return found


def learned(found):
    """Above what guessing reaches: of 8 pictures a caption's own is the first by chance in 1 of 8."""
    chance, queries = 1 / found["pictures"], found["captions"]
    spread = (chance * (1 - chance) / queries) ** 0.5
    assert found["text_to_image"]["recall_at_1"] > chance + 4 * spread, found
    assert found["image_to_text"]["recall_at_1"] > chance, found


def numbers(tensor):
    kind, _, data = tensor
    return numpy.frombuffer(data, {"F16": "<f2", "F32": "<f4", "I64": "<i8"}[kind]).astype("<f4")


def real(fovea, folder):
    """A few of Flickr8k's photographs, learned by heart on the features of a shipped model that stays as it is."""
    flickr = Path(__file__).resolve().parents[3] / "shared" / "data" / "flickr8k"
    if not flickr.exists():
        return "no Flickr8k"
    names = (flickr / "train.txt").read_text().split("\n")[:24]
    lines = [line for line in (flickr / "captions.txt").read_text().splitlines() if line.split("#")[0] in names]
    (folder / "real" / "images").mkdir(parents=True)
    for name in names:
        shutil.copy(flickr / "images" / name, folder / "real" / "images" / name)
    (folder / "real" / "captions.txt").write_text("\n".join(lines) + "\n")
    (folder / "real.yaml").write_text(REAL)
    fovea.said("train", folder / "real.yaml", "--data-root", folder, "-o", folder / "real_run")
    fovea.said("eval", folder / "real_run" / "best.safetensors", "--data", folder / "real", "--json", folder / "real.json")
    found = json.loads((folder / "real.json").read_text())
    assert (found["pictures"], found["captions"]) == (24, 120), found
    learned(found)
    trained, shipped = (tensors(m) for m in (folder / "real_run" / "best.safetensors",
                                             Path(__file__).resolve().parents[2] / "modules/zoo/photo-cbam/model.safetensors"))
    frozen = [n for n in shipped if n.startswith("backbone.")]
    assert len(frozen) > 100 and all((numbers(trained[n]) == numbers(shipped[n])).all() for n in frozen), "the backbone changed"
    return f"24 photographs by heart: R@1 {found['text_to_image']['recall_at_1']:.2f}"


def index_follows(fovea, folder, model, other):
    photos = folder / "photos"
    (photos / "below").mkdir(parents=True)
    for i, colour in enumerate(COLOURS):
        (photos / ("below" if i % 2 else ".") / f"{colour} <b>.png").write_bytes(picture(colour, "square", 900 + i))
    (photos / "one.png").write_bytes(png_of(1, 1, lambda x, y: [9, 9, 9]))
    search = ["search", "a red square", photos, "--model", model]
    first = summary(fovea.said(*search, "--json"))
    assert (first["pictures"], first["encoded"], first["gone"]) == (5, 5, 0), first
    again = summary(fovea.said(*search, "--json"))
    assert (again["encoded"], again["kept"]) == (0, 5) and again["results"] == first["results"], again
    assert [r["rank"] for r in again["results"]] == [1, 2, 3, 4, 5]
    assert sorted((r["score"] for r in again["results"]), reverse=True) == [r["score"] for r in again["results"]]
    assert "red" in again["results"][0]["file"], again["results"]
    assert len(summary(fovea.said(*search, "--json", "-n", 2))["results"]) == 2
    text = fovea.said(*search)
    assert re.search(r"^   1 +-?\d\.\d{4}  .*red <b>\.png$", text, re.M), text

    # What is new, changed, gone or bad.
    (photos / "green <b>.png").unlink(missing_ok=True)
    (photos / "below" / "green <b>.png").unlink(missing_ok=True)
    (photos / "one.png").write_bytes(picture("yellow", "stripes", 5))
    (photos / "new.png").write_bytes(picture("blue", "square", 6))
    bad = program.unreadable(photos)
    done = fovea.run(*search, "--json", code=QUARANTINED)
    said = summary(done.stdout)
    assert (said["pictures"], said["encoded"], said["gone"], said["left_out"]) == (5, 2, 1, len(bad)), said
    assert all(name in done.stderr for name in bad), done.stderr
    for name in bad:
        (photos / name).unlink()
    fresh = summary(fovea.said(*search, "--json", "--index", folder / "fresh.index"))
    kept = summary(fovea.said(*search, "--json"))["results"]  # made bit by bit, where that was made at once
    by_name = [{r["file"]: r["score"] for r in results} for results in (fresh["results"], kept)]
    assert by_name[0].keys() == by_name[1].keys() and all(abs(s - by_name[1][f]) < 2 * ROUNDING for f, s in by_name[0].items()), by_name

    # The file is as it is documented.
    index = photos / ".fovea-index.safetensors"
    kept, facts = read_safetensors(index)
    names = kept["names"][2].split(b"\0")[:-1]
    assert facts["fovea.index"] == "1" and kept["files"][:2] == ("I64", [5, 4]) and kept["values"][0] == "F16", (facts, kept)
    assert names == sorted(os.path.relpath(r["file"], photos).encode() for r in fresh["results"]), names

    # Another model, damage, and what is no index.
    fovea.refuses("made with another model", "search", "a red square", photos, "--model", other)
    fovea.refuses("--rebuild", "search", "a red square", photos, "--model", other)
    whole = index.read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        index.write_bytes(whole[:size])
        fovea.refuses("--rebuild", *search, code=1)
    assert summary(fovea.said(*search, "--rebuild", "--json"))["encoded"] == 5
    write_safetensors(index, kept | {"files": ("I64", [2 ** 40, 4], b"")}, facts)
    fovea.refuses("--rebuild", *search, code=1)
    for flag in ([], ["--rebuild"]):
        fovea.refuses("no index of pictures", *search, "--index", photos / "new.png", *flag)
    assert (photos / "new.png").read_bytes() == picture("blue", "square", 6)
    assert summary(fovea.said("search", "a red square", photos, "--model", other, "--rebuild", "--json"))["encoded"] == 5
    return photos


def interrupted(fovea, folder, model):
    """Stopped in the middle, the index keeps what there is."""
    many = folder / "many"
    many.mkdir()
    for i in range(400):
        (many / f"{i}.png").write_bytes(picture(list(COLOURS)[i % 4], KINDS[i % 2], i))
    command = [fovea.file, "search", "a blue square", str(many), "--model", str(model), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if json.loads(line)["event"] == "done":
            break
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate()
    if process.returncode == DONE:
        return "too fast to be interrupted"
    assert process.returncode == TRY_AGAIN and "the same command goes on" in rest and "stopped" in errors, (rest, errors)
    said = summary(fovea.said(*command[1:]))
    assert said["kept"] > 0 and said["kept"] + said["encoded"] == said["pictures"] == 400, said
    return f"interrupted with {said['kept']} of 400 encoded"


def queries(fovea, photos, model, pairs):
    def search(text):
        return ["search", text, photos, "--model", model]
    for nothing in ("", "  \t ", "...", "\x01\x02"):
        fovea.refuses("no words", *search(nothing))
    fovea.refuses("knows no word of 'xyzzy plugh'", *search("xyzzy plugh"))
    fovea.refuses("knows no word", *search("🐶🏽 \U0001f1e9\U0001f1ea"))
    said = summary(fovea.said(*search("red\x1b[31m 🐶 xyzzy \n square " + "square " * 500), "--json"))
    assert said["unknown"] == ["31m", "🐶", "xyzzy"], said["unknown"]
    text = fovea.said(*search("a \x1b[31m red thing square"))
    assert "\x1b" not in text and "not known: " in text, text
    fovea.refuses("is for the task 'classify'", "search", "a red square", photos, "--model", "photo-cbam", code=1)
    fovea.refuses("expected a folder", "search", "red", photos / "nowhere", "--model", model)
    fovea.said("search", "🐶 xyzzy", photos, "--model", pairs, "--rebuild")  # byte pairs know every text


def report(fovea, folder, photos, model, scan):
    for name, one in (("plain", model), ("words", scan)):
        page = folder / f"{name}.html"
        fovea.said("search", "a red <i>square</i>", photos, "--model", one, "--report", page, "--rebuild")
        shown = Page(page)
        source = page.read_text()
        assert "red <b>.png" in shown.text and "<b>.png" not in source and "<i>square" not in source, shown.text
        # Each picture; where words were found, a map for each of the five that the model reads ("i" twice, which it does not know).
        assert len(shown.images) == (5 if one is model else 5 + 5 * 5), len(shown.images)


def test(fovea):
    with program.scratch("search") as folder:
        lines, parts = make_set(folder / "set")
        model = train(fovea, folder, "whole")
        killed_and_resumed(fovea, folder)
        found = evaluated(fovea, folder, model, lines, parts["dev"])
        learned(found)
        scan = train(fovea, folder, "scan", form="scan", more=", gathers: mean")
        fovea.said("eval", scan, "--data", folder / "set", "--split", "dev", "--json", folder / "scan.json")
        learned(json.loads((folder / "scan.json").read_text()))
        pairs = train(fovea, folder, "pairs", encoder="byte_pairs\n  pairs: 300", steps=5)
        photos = index_follows(fovea, folder, model, scan)
        report(fovea, folder, photos, model, scan)
        fovea.said("search", "red", photos, "--model", model, "--rebuild")
        queries(fovea, photos, model, pairs)
        told = interrupted(fovea, folder, model) + "; " + real(fovea, folder)
        assert "search" in fovea.said("--help") and "--rebuild" in fovea.said("search", "--help")
    return f"text to image R@1 {found['text_to_image']['recall_at_1']:.2f} of {found['pictures']} pictures; {told}"


program.main(test)
