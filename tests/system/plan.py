#!/usr/bin/python3
"""`fovea plan` on a small network with attention: its figures add up, and the trace holds the steps that the table shows.

usage: plan.py FOVEA
"""
import json
import re

import program

RECIPE = """fovea: 1
model:
  backbone: {type: resnet18}
  attention:
    - {at: "backbone.layer4.*.pre_add", type: cbam}
  head: {type: classify, classes: 10}
"""


def figures(line):
    """ms, share in percent and MB of a line that begins with them."""
    found = re.match(r" *([\d.]+) +([\d.]+)% +[\d.-]+ +([\d.]+) +[\d.-]+  ", line)
    return found and tuple(float(v) for v in found.groups())


def rows(lines):
    return [f for f in map(figures, lines) if f]


def near(a, b, count, digit):
    """Sums of `count` figures that were each rounded to `digit`."""
    return abs(a - b) <= (count + 1) * digit / 2


def recipe_of_attention(fovea, folder):
    recipe, trace = folder / "recipe.yaml", folder / "trace.json"
    recipe.write_text(RECIPE)
    text = fovea.said("plan", recipe, "--size", "64x96", "--threads", 1, "--runs", 1, "--keep", "**.spatial", "--check", "--trace", trace)
    events = json.loads(trace.read_text())["traceEvents"]
    assert text.startswith("resnet18 at 1x3x64x96, f32, 1 thread"), text[:80]
    by_step, rest = text.split("\nby kernel\n")
    by_kernel, totals = rest.split("\n\n")
    steps, kernels = rows(by_step.splitlines()), rows(by_kernel.splitlines())
    whole, blocks = rows(totals.splitlines())
    groups = [float(ms) for ms in re.findall(r"^\S+: ([\d.]+) ms, [\d.]+%$", by_step, re.M)]
    assert len(steps) == len(events) > 20, (len(steps), len(events))
    for part in (steps, kernels):
        for i, digit in enumerate((0.001, 0.1, 0.01)):
            assert near(sum(f[i] for f in part), whole[i], len(part), digit), (i, part, whole)
    assert near(sum(groups), whole[0], len(groups), 0.001), (groups, whole)
    assert near(sum(e["dur"] for e in events) / 1e3, whole[0], 1, 0.001)
    assert 0 < blocks[0] < whole[0], (blocks, whole)
    (off,) = re.findall(r"^backbone\.layer4\.1\.pre_add\.cbam\.spatial: largest difference to .*, ([\d.e+-]+) % of", totals, re.M)
    assert float(off) < 0.01, off
    for kernel in ("fused elementwise", "global reduce", "channel reduce", "gemv", "pool2d", "single-output conv"):
        assert f"  {kernel}  " in by_kernel, (kernel, by_kernel)
    return f"{len(steps)} steps, {len(groups)} groups, {len(kernels)} kernels"


def shipped(fovea):
    """The classifier at the size of its recipe, a batch; CBAM in fourteen blocks; what it gives is what it gives op by op."""
    text = fovea.said("plan", "photo-cbam", "--runs", 1, "--batch", 2, "--threads", 1, "--check")
    assert text.startswith("photo-cbam at 2x3x224x224, f32, 1 thread"), text[:80]
    assert len(set(re.findall(r"^backbone\.features\.(\d+).*: [\d.]+ ms", text, re.M))) >= 17, text
    assert len(re.findall("pre_add.cbam: ", text)) >= 14 and float(re.search(r"logits: .*, ([\d.e+-]+) % of", text)[1]) < 0.01, text


def test(fovea):
    with program.scratch("plan") as folder:
        told = recipe_of_attention(fovea, folder)
        recipe = folder / "recipe.yaml"
        shipped(fovea)
        fovea.refuses("no such", "plan", "no such model", code=1)
        fovea.refuses("--size", "plan", recipe, "--size", "64")
        fovea.refuses("--batch", "plan", recipe, "--batch", 0)
        fovea.refuses("f64", "plan", recipe, "--precision", "f64")
        fovea.refuses("trace.json", "plan", recipe, "--trace", folder / "no" / "trace.json")
    return told


program.main(test)
