#!/usr/bin/python3
"""`fovea plan` on a small network with attention: its figures add up, and the trace holds the steps that the table shows.

Usage: plan.py FOVEA
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

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


def main():
    fovea = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        recipe, trace = pathlib.Path(folder) / "recipe.yaml", pathlib.Path(folder) / "trace.json"
        recipe.write_text(RECIPE)
        command = [fovea, "plan", str(recipe), "--size", "64x96", "--threads", "1", "--runs", "1", "--keep", "**.spatial", "--check"]
        text = subprocess.run(command + ["--trace", str(trace)], check=True, capture_output=True, text=True).stdout
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
    assert re.search(r"^backbone\.layer4\.1\.pre_add\.cbam\.spatial: largest difference to ", totals, re.M), totals
    for kernel in ("fused elementwise", "global reduce", "channel reduce", "gemv", "pool2d", "single-output conv"):
        assert f"  {kernel}  " in by_kernel, (kernel, by_kernel)
    wrong = subprocess.run([fovea, "plan", "no such model"], capture_output=True, text=True)
    assert wrong.returncode != 0 and "no such" in wrong.stderr, wrong
    print(f"{len(steps)} steps, {len(groups)} groups, {len(kernels)} kernels")


main()
