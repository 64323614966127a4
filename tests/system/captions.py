#!/usr/bin/python3
"""`fovea eval captions` against BLEU, ROUGE-L and CIDEr-D computed here from their definitions, on cases made to be awkward:
repeated words, captions that are empty or much too long, few and many references, words of other scripts.

usage: captions.py FOVEA
"""
import collections
import json
import math
import random

import program

WORDS = "a a a the dog cat runs in on snow 's n't t-shirt 3.5 hündin 猫 🐶".split()
TOLERANCE = 1e-9


def grams(words, n):
    return collections.Counter(tuple(words[i:i + n]) for i in range(len(words) - n + 1))


def bleu(pictures):
    right, said, length, closest = [0] * 4, [0] * 4, 0, 0
    for caption, references in pictures:
        length += len(caption)
        closest += min((abs(len(r) - len(caption)), len(r)) for r in references)[1]
        for n in range(4):
            most = collections.Counter()
            for r in references:
                most |= grams(r, n + 1)
            mine = grams(caption, n + 1)
            said[n] += sum(mine.values())
            right[n] += sum((mine & most).values())
    ratio = (length + 1e-15) / (closest + 1e-9)
    penalty = math.exp(1 - 1 / ratio) if ratio < 1 else 1
    figures, product = [], 1
    for n in range(4):
        product *= (right[n] + 1e-15) / (said[n] + 1e-9)
        figures.append(product ** (1 / (n + 1)) * penalty)
    return figures


def common(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def rouge(caption, references):
    if not caption:
        return 0
    precision = max(common(caption, r) / len(caption) for r in references)
    recall = max(common(caption, r) / len(r) for r in references)
    return 2.44 * precision * recall / (recall + 1.44 * precision) if precision else 0


def cider(pictures):
    have = collections.Counter()
    for _, references in pictures:
        have.update({g for r in references for n in range(1, 5) for g in grams(r, n)})

    def weights(words, n):
        return {g: count * (math.log(len(pictures)) - math.log(max(1, have[g]))) for g, count in grams(words, n).items()}

    def likeness(a, b):
        total = 0
        for n in range(1, 5):
            mine, theirs = weights(a, n), weights(b, n)
            product = sum(min(v, theirs.get(g, 0)) * theirs.get(g, 0) for g, v in mine.items())
            norms = math.sqrt(sum(v * v for v in mine.values())) * math.sqrt(sum(v * v for v in theirs.values()))
            total += product / norms if norms else 0
        return total / 4 * math.exp(-(len(a) - len(b)) ** 2 / 72)
    return [10 * sum(likeness(caption, r) for r in references) / len(references) for caption, references in pictures]


def sentence(choose, longest):
    return " ".join(choose.choices(WORDS, k=choose.randint(0, longest)))


def check(fovea, folder, data, *options):
    file, out = folder / "captions.json", folder / "out.json"
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    text = fovea.said("eval", "captions", file, "--json", out, *options)
    figures = json.loads(out.read_text())
    names = sorted(data["hypotheses"])
    pictures = [(data["hypotheses"][n].split(), [r.split() for r in data["references"][n] if r.split()]) for n in names]
    each = {"CIDEr_D_each": cider(pictures), "ROUGE_L_each": [rouge(*p) for p in pictures]}
    for key, values in each.items():
        assert sorted(figures[key]) == names, figures[key]
        for name, value in zip(names, values):
            assert abs(figures[key][name] - value) < TOLERANCE, (key, name, figures[key][name], value)
    expected = {"CIDEr_D": sum(each["CIDEr_D_each"]) / len(names), "ROUGE_L": sum(each["ROUGE_L_each"]) / len(names),
                "distinct": len({tuple(c) for c, _ in pictures}) / len(names), "mean_length": sum(len(c) for c, _ in pictures) / len(names)}
    for key, value in expected.items():
        assert abs(figures[key] - value) < TOLERANCE, (key, figures[key], value)
    assert all(abs(a - b) < TOLERANCE for a, b in zip(figures["BLEU"], bleu(pictures))), (figures["BLEU"], bleu(pictures))
    assert f"CIDEr-D   {figures['CIDEr_D']:.4f}" in text and f"BLEU-4    {figures['BLEU'][3]:.4f}" in text, text


def check_data(fovea, folder):
    """`fovea data check --captions`."""
    (folder / "images").mkdir()
    for name, seed in (("a", 1), ("b", 2)):
        (folder / "images" / f"{name}.png").write_bytes(program.noisy_png(64, 48, seed))
    (folder / "captions.txt").write_text("a.png#0\tA dog's bed .\nb.png#0\tTwo cats .\n")
    (folder / "train.txt").write_text("a.png\n")
    findings = folder / "findings.json"
    fovea.said("data", "check", "--captions", folder, "--json", findings)
    said = json.loads(findings.read_text())
    assert said["errors"] == 0 and [s["split"] for s in said["splits"]] == ["train", "no split"], said
    assert said["splits"][0]["mean_length"] == 4, said
    (folder / "images" / "b.png").unlink()
    text = fovea.run("data", "check", "--captions", folder, "--json", findings, code=program.QUARANTINED).stdout
    assert "error: missing file (1)" in text and json.loads(findings.read_text())["kinds"]["missing file"] == 1, text
    fovea.run("data", "check", "--captions", folder, "--split", "train", code=program.USAGE)
    fovea.run("data", "check", folder, "--images", folder, code=program.USAGE)


def test(fovea):
    with program.scratch("captions") as folder:
        check_data(fovea, folder)
        for seed in range(6):
            choose = random.Random(seed)
            names = [f"{i} <b>.jpg" for i in range(choose.choice((1, 2, 30)))]
            references = {n: [sentence(choose, 12) for _ in range(choose.randint(0, 5))] + ["a dog " + sentence(choose, 9)] for n in names}
            said = {n: choose.choice(references[n]) if choose.random() < 0.5 else sentence(choose, 30) for n in names}
            check(fovea, folder, {"references": references, "hypotheses": said}, "--tokenised")
            check(fovea, folder, {"references": references, "hypotheses": said})  # words of the rule are words again

        def refused(text, reason):
            file = folder / "bad.json"
            file.write_bytes(text)
            told = fovea.run("eval", "captions", file, code=1).stderr
            assert reason in told and "\x1b" not in told, told
        refused(b'{"references": {"a', "it is not JSON")
        refused(b'{"references": {"a": ["\xff"]}, "hypotheses": {"a": "b"}}', "it is not JSON")
        refused(b'{"references": {"a\\u001b": ["x"]}, "hypotheses": {"b\\u001b": "x"}}', "nothing could be scored")
        refused(b'{"references": {"a": "x"}, "hypotheses": {"a": "x"}}', "expected a list")
        half = folder / "half.json"
        half.write_text('{"references": {"a": ["x"], "b": ["x"]}, "hypotheses": {"a": "x"}}')
        told = fovea.run("eval", "captions", half, code=program.QUARANTINED).stderr
        assert "'b': there is no caption of it" in told, told
        help_text = fovea.said("eval", "captions", "--help")
        assert "--tokenised" in help_text and "hypotheses" in help_text, help_text


program.main(test)
