#!/usr/bin/python3
"""Recipes and model files of strangers: what they may build is counted before memory is taken, by every command that builds a network, and
--max-memory raises the limit.

usage: hostile_recipe.py FOVEA
"""
import resource
import sys
import time

import numpy

import program
from program import scratch, write_safetensors

GREEDY = [
    "{backbone: {type: resnet18, layers: [2147483647], widths: [64]}, head: {type: classify, classes: 2}}",
    "{backbone: {type: resnet18, layers: [1], widths: [12000]}, head: {type: classify, classes: 2}}",
    "{head: {type: a2n, scale: 2, blocks: 100000}}",
    "{backbone: {type: vit_tiny, size: 16384}, head: {type: classify, classes: 2}}",
    "{backbone: {type: swin_tiny, window: 65536}, head: {type: classify, classes: 2}}",
]
SMALL = "{backbone: {type: resnet18, layers: [1], widths: [64]}, head: {type: classify, classes: 2}}"
MEGABYTES = 700  # of addresses: the program and its libraries, and no network


def limited(fovea, message, *arguments, code=1):
    start = time.time()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    fovea.refuses(message, *arguments, code=code)
    assert time.time() - start < 20, arguments
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert grown < max(before, MEGABYTES * 1024), (arguments, grown)


def main():
    fovea = program.Program(sys.argv[1])
    with scratch("hostile") as folder:
        recipe, model, pictures = folder / "r.yaml", folder / "m.safetensors", folder / "pictures"
        pictures.mkdir()
        for text in GREEDY:
            recipe.write_text(f"fovea: 1\nmodel: {text}\n")
            for command in (["describe", recipe], ["plan", recipe, "--runs", "1"], ["list", "slots", recipe]):
                limited(fovea, "", *command)
            weights = ("F32", [1], numpy.zeros(1, "<f4").tobytes())
            write_safetensors(model, {"x": weights}, {"fovea.format": "1", "fovea.recipe": recipe.read_text()})
            limited(fovea, "", "describe", model)
            limited(fovea, "", "export", model, "-o", folder / "o.safetensors")
            limited(fovea, "", "import", model, "--recipe", recipe, "-o", folder / "o.safetensors")
            limited(fovea, "", "classify", pictures, "--model", model, "-o", folder / "out", code=64)
        recipe.write_text(f"fovea: 1\nmodel: {SMALL}\n")
        assert "parameters" in fovea.said("describe", recipe)
        fovea.refuses("--max-memory SIZE", "describe", recipe, "--max-memory", "100K", code=1)
        assert "parameters" in fovea.said("describe", recipe, "--max-memory", "1G")
        fovea.refuses("--max-memory", "describe", recipe, "--max-memory", "much")
        fovea.refuses("1x3x16384x16384", "plan", recipe, "--size", "16384x16384", "--max-memory", "1G", code=1)


main()
