#!/usr/bin/python3
"""`fovea fit-normal`, and what `highlight`, `eval`, `describe` and `export` make of its model: files, figures, exit codes.

usage: anomaly.py FOVEA
"""
import json
import random
import signal
import subprocess
import time

import program

SIDE = 96


def picture(seed, square=False):
    """Noise over a gradient; with a bright square at 40, 48 of 20 pixels."""
    rng = random.Random(seed)

    def pixel(x, y):
        if square and 40 <= x < 60 and 48 <= y < 68:
            return [255, 255, 255]
        return [(x + y) // 2 + c * 30 + rng.randrange(24) for c in range(3)]
    return program.png_of(SIDE, SIDE, pixel)


def make_data(folder):
    for name, count, square in (("good", 8, False), ("judge/normal", 4, False), ("judge/anomalous", 4, True)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"p{i}.png").write_bytes(picture(len(name) * 100 + i, square))


def check_fit(fovea, folder):
    model = folder / "normal.safetensors"
    said = fovea.said("fit-normal", folder / "good", "-o", model, "--vectors", 200, "--metadata", "data_license=CC0-1.0: ours")
    assert "200 vectors of 1152 patches on 8 pictures" in said and "not for diagnosis" in said, said
    tensors, metadata = program.read_safetensors(model)
    assert tensors["head.memory"][1] == [200, 128, 1, 1], tensors["head.memory"][1]
    assert metadata["data_license"].startswith("CC0-1.0: ours; research only"), metadata["data_license"]
    recipe = metadata["fovea.recipe"]
    assert "patch_memory" in recipe and "pictures: 8" in recipe and str(folder) not in recipe and "p0" not in recipe, recipe
    told = json.loads(fovea.said("describe", model, "--json"))
    assert told["task"] == "highlight" and [o["name"] for o in told["outputs"]] == ["logits", "distance"], told
    fovea.run("export", model, "-o", folder / "half.safetensors", "--storage", "f16")
    assert (folder / "half.safetensors").stat().st_size < 0.6 * model.stat().st_size
    return model


def check_highlight(fovea, folder, model):
    out = folder / "out"
    fovea.run("highlight", folder / "judge", "--model", model, "-o", out, "--report")
    scores = {row["file"]: row for row in program.table(out / "scores.csv")}
    assert len(scores) == 8, scores
    worst_normal = max(float(r["deviations"]) for f, r in scores.items() if f.startswith("normal/"))
    assert all(float(r["deviations"]) > worst_normal for f, r in scores.items() if f.startswith("anomalous/")), scores
    for row in program.table(out / "regions.csv"):
        assert row["class"] == "anomaly", row
    answer = json.loads((out / "anomalous" / "p1.png.json").read_text())
    assert answer["classes"][0]["score"] == answer["pictures"][0]["classes"][0]["score"] >= 0.5, answer
    middle = max(answer["pictures"][0]["classes"][0]["regions"], key=lambda r: r["area_px"])["centre"]
    assert abs(middle[0] - 50) < 12 and abs(middle[1] - 58) < 12, middle
    assert (out / "anomalous" / "p1.png.anomaly.probability.png").exists()
    assert "score 1.0" in program.Page(out / "report.html").text
    half = folder / "of_half"
    fovea.run("predict", folder / "judge", "--model", folder / "half.safetensors", "-o", half)
    for row in program.table(half / "scores.csv"):
        assert abs(float(row["deviations"]) - float(scores[row["file"]]["deviations"])) < 0.05 * float(row["deviations"]) + 0.2, row


def check_eval(fovea, folder, model):
    said = fovea.said("eval", model, "--data", folder / "judge", "--json", folder / "eval.json")
    assert "AUROC" in said and "of 4 normal pictures" in said, said
    told = json.loads((folder / "eval.json").read_text())["scores"]
    assert told["normal"] == 4 and told["anomalies"] == [
        {"kind": "all", "pictures": 4, "auroc": 1.0, "auroc_interval": [1.0, 1.0], "found": 1.0}], told
    table = folder / "table.csv"
    table.write_text("path,label\n" + "".join(f"judge/normal/p{i}.png,normal\n" for i in range(4)) +
                     "".join(f"judge/anomalous/p{i}.png,{'scratch' if i % 2 else 'dent'}\n" for i in range(4)))
    said = fovea.said("eval", model, "--data", table)
    assert "scratch" in said and "dent" in said, said
    (folder / "judge" / "normal" / "broken.png").write_text("no picture")
    done = fovea.run("eval", model, "--data", folder / "judge", code=program.QUARANTINED)
    assert "broken.png" in done.stderr and "of 4 normal pictures" in done.stdout, done
    fovea.refuses("of one kind that is called normal", "eval", model, "--data", only_normal(folder), code=1)


def only_normal(folder):
    lonely = folder / "lonely"
    (lonely / "normal").mkdir(parents=True)
    (lonely / "normal" / "p.png").write_bytes(picture(1))
    return lonely


def check_faults(fovea, folder):
    (folder / "none").mkdir()
    fovea.refuses("expected at least two normal pictures, found 0", "fit-normal", folder / "none", "-o", folder / "x.safetensors")
    (folder / "good" / "broken.png").write_text("no picture")
    (folder / "good" / "layers.psd").write_bytes(b"8BPS")
    done = fovea.run("fit-normal", folder / "good", "-o", folder / "x.safetensors", "--vectors", 20, "--json", code=program.QUARANTINED)
    told = program.summary(done.stdout)
    assert told["pictures"] == 8 and told["vectors"] == 20, told
    assert "left out: " in done.stderr and "skipped: " in done.stderr, done.stderr
    assert [e["event"] for e in program.events(done.stdout)].count("done") == 8, done.stdout
    (folder / "good" / "broken.png").unlink()
    fovea.run("fit-normal", folder / "good", "-o", folder / "x.safetensors", "--vectors", 20, "--quiet")
    fovea.run("fit-normal", folder / "good", "-o", folder / "x.safetensors", "--vectors", 20, "--quiet", "--strict", code=program.QUARANTINED)


def check_interrupt(fovea, folder):
    """Many pictures, so that it is underway for long."""
    many = folder / "many"
    many.mkdir()
    for i in range(400):
        (many / f"p{i}.png").write_bytes((folder / "good" / f"p{i % 8}.png").read_bytes())
    child = subprocess.Popen([fovea.file, "fit-normal", str(many), "-o", str(folder / "late.safetensors"), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while '"done"' not in child.stdout.readline():
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    rest, said = child.communicate(timeout=120)
    assert child.returncode == program.TRY_AGAIN and "stopped; no result was written" in said, (child.returncode, rest, said)
    assert not (folder / "late.safetensors").exists()


def test(fovea):
    with program.scratch("anomaly") as folder:
        make_data(folder)
        model = check_fit(fovea, folder)
        check_highlight(fovea, folder, model)
        check_eval(fovea, folder, model)
        check_faults(fovea, folder)
        check_interrupt(fovea, folder)
    return "a model of normal pictures finds a bright square, and says what it cannot read"


program.main(test)
