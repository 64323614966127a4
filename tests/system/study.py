#!/usr/bin/python3
"""`fovea study` on pictures made here: one training for each block and seed, tables that agree with them, a second call that trains
nothing, wrong calls.

usage: study.py FOVEA
"""
import json
import xml.dom.minidom

import program
from program import table

RECIPE = """fovea: 1
model: {backbone: {type: resnet18, stem: cifar, widths: [8, 16], layers: [1, 1]}, head: {type: classify, classes: [bright, dark]}}
preprocess: {size: 32}
train:
  task: classify
  data: [pictures]
  validate_share: 0.25
  batch: 8
  epochs: 6
  threads: 1
  optimizer: {type: adamw, lr: 0.005}
"""
BLOCKS = ["none", "se", "cbam:reduction=4", "eca@backbone.layer2.*.pre_add", "model.head.dropout=0.3"]
SEEDS = 2


def test(fovea):
    with program.scratch("study") as folder:
        for name, (low, high) in (("dark", (0, 90)), ("bright", (165, 255))):
            (folder / "pictures" / name).mkdir(parents=True)
            for i in range(16):
                (folder / "pictures" / name / f"{i}.png").write_bytes(program.grey_png(low, high, f"{name}{i}"))
        recipe, out = folder / "recipe.yaml", folder / "out"
        recipe.write_text(RECIPE)
        bare = ["study", recipe, "--data-root", folder, "--no-tune", "--seeds"]
        common = [*bare, SEEDS, "--pictures", 2, "-o"]
        command = [*common, out, "--blocks", ",".join(BLOCKS)]
        first = fovea.run(*command)
        rows = {row["block"]: row for row in table(out / "study.csv")}
        assert list(rows) == BLOCKS, rows
        results = list(out.rglob("result.json"))
        assert len(results) == SEEDS * len(BLOCKS), results
        for block, row in rows.items():
            assert int(row["seeds"]) == SEEDS and 0 <= float(row["score"]) <= 1 and float(row["latency_ms"]) > 0, row
            assert float(row["train_s"]) >= 0 and 0 <= float(row["insertion_auc"]) <= 1, row
            assert block == "none" or block.startswith("model.") or int(row["parameters"]) > int(rows["none"]["parameters"]), row
        assert float(rows["none"]["score"]) >= 0.9, rows["none"]  # brightness is easy
        means = sorted(round(float(row["score"]), 4) for row in rows.values())
        found = {}
        for file in results:
            found.setdefault(file.parent.parent.name, []).append(json.loads(file.read_text())["score"])
        assert means == sorted(round(sum(a) / SEEDS, 4) for a in found.values()), (means, found)
        text = (out / "study.txt").read_text()
        assert text == first.stdout and all(f"\n{block} " in text for block in BLOCKS), text
        xml.dom.minidom.parse(str(out / "study.svg"))

        written = {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in results}
        fovea.said(*command)
        assert written == {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in results}, "trained again"
        again = {row["block"]: row for row in table(out / "study.csv")}
        assert [r["score"] for r in again.values()] == [r["score"] for r in rows.values()], again

        # Fewer pictures to look at are looked at again, without a training.
        looked = fovea.run(*bare, SEEDS, "--pictures", 1, "-o", out, "--blocks", ",".join(BLOCKS)).stderr
        assert "step" not in looked, looked
        assert all(json.loads(f.read_text())["pictures"] == 1 for f in results)

        # Another recipe or other data: nothing old stands beside what is new, what differs is named, and nothing is lost.
        one = [*bare, 1, "--pictures", 0, "--blocks", "none", "-o", folder / "one"]
        fovea.run(*one)
        said = fovea.run(*one, "train.epochs=3").stderr
        assert "trained again, because of the recipe: train.epochs was 6, is 3" in said, said
        kept = folder / "one" / "none" / "seed-0.old-1"
        assert (kept / "result.json").exists() and "seed-0.old-1" in said, said
        (folder / "pictures" / "dark" / "late.png").write_bytes(program.grey_png(0, 90, "late"))
        said = fovea.run(*one, "train.epochs=3").stderr
        assert "trained again, because of the data: 1 file (pictures/dark/late.png) came" in said, said
        assert "trained again" not in fovea.run(*one, "train.epochs=3", "train.log_every=7", "--threads", 2).stderr
        for twice, message in (("se,se", "given twice"), ("se:reduction=4,se:reduction:4", "would share the folder")):
            fovea.refuses(message, *common, folder / "twice", "--blocks", twice, code=1)

        refused = [*common, folder / "refused", "--blocks"]
        for blocks, message in (("no_such", "no_such"), ("se:no_such=1", "no_such"), ("se:reduction", "option=value"),
                                ("se@backbone.no_such", "no_such"), ("model.head.no_such=1", "no_such"),
                                ("model.head", "option=value")):
            fovea.refuses(message, *refused, blocks, code=1)
        fovea.refuses("no_such.yaml", "study", folder / "no_such.yaml", "--blocks", "none", "-o", folder / "refused", code=1)
        fovea.refuses("--seeds", "study", recipe, "--blocks", "none", "--seeds", "two")
        assert not (folder / "refused").exists(), "a wrong call made its folder"
    return f"{len(BLOCKS)} blocks with {SEEDS} seeds"


program.main(test)
