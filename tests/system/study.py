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
BLOCKS = ["none", "se", "cbam:reduction=4", "eca@backbone.layer2.*.pre_add"]
SEEDS = 2


def test(fovea):
    with program.scratch("study") as folder:
        for name, (low, high) in (("dark", (0, 90)), ("bright", (165, 255))):
            (folder / "pictures" / name).mkdir(parents=True)
            for i in range(16):
                (folder / "pictures" / name / f"{i}.png").write_bytes(program.grey_png(low, high, f"{name}{i}"))
        recipe, out = folder / "recipe.yaml", folder / "out"
        recipe.write_text(RECIPE)
        common = ["study", recipe, "--data-root", folder, "--seeds", SEEDS, "--pictures", 2, "--no-tune", "-o"]
        command = [*common, out, "--blocks", ",".join(BLOCKS)]
        first = fovea.run(*command)
        rows = {row["block"]: row for row in table(out / "study.csv")}
        assert list(rows) == BLOCKS, rows
        results = list(out.rglob("result.json"))
        assert len(results) == SEEDS * len(BLOCKS), results
        for block, row in rows.items():
            assert int(row["seeds"]) == SEEDS and 0 <= float(row["score"]) <= 1 and float(row["latency_ms"]) > 0, row
            assert float(row["train_s"]) >= 0 and 0 <= float(row["insertion_auc"]) <= 1, row
            assert block == "none" or int(row["parameters"]) > int(rows["none"]["parameters"]), row
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

        refused = [*common, folder / "refused", "--blocks"]
        for blocks, message in (("no_such", "no_such"), ("se:no_such=1", "no_such"), ("se:reduction", "option=value"),
                                ("se@backbone.no_such", "no_such")):
            fovea.refuses(message, *refused, blocks, code=1)
        fovea.refuses("no_such.yaml", "study", folder / "no_such.yaml", "--blocks", "none", "-o", folder / "refused", code=1)
        fovea.refuses("--seeds", "study", recipe, "--blocks", "none", "--seeds", "two")
        assert not (folder / "refused").exists(), "a wrong call made its folder"
    return f"{len(BLOCKS)} blocks with {SEEDS} seeds"


program.main(test)
