#!/usr/bin/python3
"""`fovea classify` with the shipped classifier on photographs: answers on standard output and in a folder agree, reruns do nothing,
what cannot be read is set aside, wrong calls are refused.

usage: classify.py FOVEA
"""
import json
import re

import program
from program import QUARANTINED, Page, events, ledger, summary, table

MODEL = ["--model", "photo-cbam", "--no-tune"]
NAMES = ["messi5", "home", "baboon", "fruits"]


def to_output(fovea, photos):
    """Answers of each photograph, by the file's name, in the order of the inputs."""
    lines = events(fovea.said("classify", *photos, *MODEL, "--json"))
    assert [line["file"] for line in lines] == [str(p) for p in photos], lines
    for line in lines:
        p = [t["probability"] for t in line["top"]]
        assert len(p) == 5 and p == sorted(p, reverse=True) and 0 < sum(p) <= 1 + 1e-6, line
        assert len({t["index"] for t in line["top"]}) == 5 and all(t["class"] for t in line["top"]), line
    assert lines[0]["top"][0]["class"] == "soccer ball", lines[0]
    text = fovea.said("classify", *photos, *MODEL, "--top", 2)
    answers = re.findall(r"^ +([\d.]+) %  (.+)$", text, re.M)
    assert len(answers) == 2 * len(photos) and [l for l in text.splitlines() if l[0] != " "] == [str(p) for p in photos], text
    for (percent, name), top in zip(answers[::2], (line["top"][0] for line in lines)):
        assert name == top["class"] and abs(float(percent) - 100 * top["probability"]) <= 0.051, (percent, name, top)
    listed = fovea.said("classify", "-", *MODEL, "--json", text="".join(f"{p}\n" for p in photos))
    assert events(listed) == lines, listed
    return {line["file"]: line["top"] for line in lines}


def to_folder(fovea, folder, answers):
    pictures, out = folder / "pictures", folder / "out"
    bad = program.unreadable(pictures)
    command = ["classify", pictures, *MODEL, "-o", out, "--report", "--json"]
    first = summary(fovea.said(*command, code=QUARANTINED))
    assert (first["done"], first["quarantined"], first["left"], first["up_to_date"]) == (len(answers), len(bad), 0, 0), first
    assert first["precision"] == "f32" and first["model"] == "photo-cbam", first
    lines = events((out / "predictions.jsonl").read_text())
    assert {line["file"].split("/")[-1]: line["top"] for line in lines} == answers, lines
    for row in table(out / "predictions.csv"):
        top = answers[row["file"].split("/")[-1]]
        assert [row[f"class_{i + 1}"] for i in range(5)] == [t["class"] for t in top], row
        assert all(abs(float(row[f"probability_{i + 1}"]) - t["probability"]) < 1e-6 for i, t in enumerate(top)), row
    page = Page(out / "report.html")
    assert len(page.images) >= len(answers) and "soccer ball" in page.text, page.text
    for name in bad:
        assert ledger(out)[name]["state"] == "quarantined" and ledger(out)[name]["reason"], ledger(out)[name]
        assert name in page.text, page.text
    before = {f.name: f.read_bytes() for f in out.glob("predictions.*")}
    again = summary(fovea.said(*command, code=QUARANTINED))
    assert (again["done"], again["up_to_date"], again["quarantined"]) == (0, len(answers), len(bad)), again
    assert before == {f.name: f.read_bytes() for f in out.glob("predictions.*")}
    (pictures / "more.png").write_bytes(program.noisy_png(70, 50, 3))
    more = summary(fovea.said(*command, code=QUARANTINED))
    assert (more["done"], more["up_to_date"]) == (1, len(answers)) and len(table(out / "predictions.csv")) == len(answers) + 1, more


def hostile(fovea, folder, photo):
    fovea.refuses("no_such.jpg: no such file", "classify", folder / "no_such.jpg", *MODEL, code=QUARANTINED)
    fovea.refuses("no_such", "classify", photo, "--model", "no_such")
    fovea.refuses("upscale-x2", "classify", photo, "--model", "upscale-x2")
    fovea.refuses("--report", "classify", photo, *MODEL, "--report")
    fovea.refuses("--top", "classify", photo, *MODEL, "--top", 0)
    fovea.refuses("--precision", "classify", photo, *MODEL, "--precision", "f64")
    fovea.refuses("expected a folder", "classify", photo, *MODEL, "-o", photo)
    (folder / "nothing").mkdir()
    fovea.refuses("no images", "classify", folder / "nothing", *MODEL)
    broken = folder / "broken.safetensors"
    broken.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    fovea.refuses("broken.safetensors", "classify", photo, "--model", broken)
    cut = folder / "pictures" / "cut.png"
    mixed = fovea.run("classify", cut, photo, *MODEL, "--json", code=QUARANTINED)
    assert [line["file"] for line in events(mixed.stdout)] == [str(photo)] and "cut.png" in mixed.stderr, mixed


def test(fovea):
    photos = program.photographs(*NAMES)
    answers = to_output(fovea, photos)
    with program.scratch("classify") as folder:
        (folder / "pictures").mkdir()
        for photo in photos:
            (folder / "pictures" / photo.name).write_bytes(photo.read_bytes())
        to_folder(fovea, folder, {p.name: answers[str(p)] for p in photos})
        hostile(fovea, folder, photos[0])
    return f"{len(photos)} photographs, first answers: " + json.dumps([a[0]["class"] for a in answers.values()])


program.main(test)
