#!/usr/bin/python3
"""`fovea export` and `fovea import` with the shipped classifier: bits, halves, metadata; weights under torchvision's names become the
same network again, with fresh blocks that change nothing; wrong files are refused.

usage: convert.py FOVEA
"""
import json

import numpy

import program
from program import events, read_safetensors, tensors, write_safetensors

PLAIN = """fovea: 1
model:
  backbone: {type: mobilenet_v2, padding: same}
%s  head: {type: classify, classes: %s}
preprocess: {size: 224, mean: 0.5, std: 0.5}
"""
BLOCKS = """  attention:
    - {at: "backbone.features.*.post_depthwise", type: coordinate, start: identity}
"""


def numbers(tensor):
    dtype, shape, data = tensor
    return numpy.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[dtype]).astype(numpy.float64).reshape(shape)


def answers(fovea, photos, model):
    lines = events(fovea.said("classify", *photos, "--model", model, "--json", "--no-tune"))
    return [[(t["index"], t["probability"]) for t in line["top"]] for line in lines]


def near(a, b, limit):
    return all([i for i, _ in x] == [i for i, _ in y] and max(abs(p - q) for (_, p), (_, q) in zip(x, y)) <= limit for x, y in zip(a, b))


def export(fovea, folder, photos):
    f32, f16 = folder / "f32.safetensors", folder / "f16.safetensors"
    said = fovea.said("export", "photo-cbam", "-o", f32, "--storage", "f32", "--metadata", "licence=Apache-2.0")
    assert "3564468 parameters" in said and str(f32.stat().st_size) in said, said
    fovea.said("export", f32, "-o", f16)
    whole, half = tensors(f32), tensors(f16)
    assert f16.stat().st_size < 0.51 * f32.stat().st_size and whole.keys() == half.keys()
    assert {t[0] for t in whole.values()} == {"F32"} and {t[0] for t in half.values()} == {"F16"}
    for name, tensor in whole.items():
        assert numpy.array_equal(numbers(tensor).astype(numpy.float16), numbers(half[name]).astype(numpy.float16)), name
    assert read_safetensors(f32)[1]["licence"] == "Apache-2.0" and "mobilenet_v2" in read_safetensors(f32)[1]["fovea.recipe"]
    fovea.said("export", f32, "-o", folder / "again.safetensors", "--storage", "f32")
    assert tensors(folder / "again.safetensors") == whole, "bits changed"
    shipped = answers(fovea, photos, "photo-cbam")
    assert near(answers(fovea, photos, f32), shipped, 2e-6) and near(answers(fovea, photos, f16), shipped, 0.02)
    fovea.refuses("key=value", "export", f32, "-o", folder / "x.safetensors", "--metadata", "licence", code=1)
    fovea.refuses("fovea.", "export", f32, "-o", folder / "x.safetensors", "--metadata", "fovea.recipe=x", code=1)
    fovea.refuses("no_such", "export", "no_such", "-o", folder / "x.safetensors", code=1)
    fovea.refuses("--storage", "export", f32, "-o", folder / "x.safetensors", "--storage", "int8")
    fovea.refuses("no_such", "export", f32, "-o", folder / "no_such" / "x.safetensors", code=1)
    assert not (folder / "x.safetensors").exists()
    return f32


def torchvisions(model, file):
    """The backbone and head of the model without its blocks, under torchvision's names."""
    named = {}
    for name, tensor in tensors(model).items():
        if ".cbam." in name:
            continue
        theirs = name.removeprefix("backbone.").replace("head.fc.", "classifier.1.").replace("head.", "classifier.1.")
        named[theirs] = tensor
    assert "features.0.0.weight" in named and "classifier.1.weight" in named, list(named)
    write_safetensors(file, named, {})
    return named


def import_again(fovea, folder, model, photos):
    theirs, recipe = folder / "theirs.safetensors", folder / "recipe.yaml"
    named = torchvisions(model, theirs)
    classes = len(numbers(named["classifier.1.bias"]))
    recipe.write_text(PLAIN % ("", classes))
    plain, blocks = folder / "plain.safetensors", folder / "blocks.safetensors"
    report = json.loads(fovea.said("import", theirs, "--recipe", recipe, "-o", plain, "--json"))
    assert len(report["loaded"]) == len(named) and not report["unused"] and not report["missing"], report
    assert sorted(t[2] for t in tensors(plain).values()) == sorted(t[2] for t in named.values()), "values changed"
    recipe.write_text(PLAIN % (BLOCKS, classes))
    report = json.loads(fovea.said("import", theirs, "--recipe", recipe, "-o", blocks, "--json"))
    assert report["fresh_in_slots"] and all("coordinate" in name for name in report["fresh_in_slots"]), report
    assert near(answers(fovea, photos, blocks), answers(fovea, photos, plain), 1e-5), "blocks that start as the identity changed answers"
    said = fovea.said("import", theirs, "--recipe", recipe, "-o", blocks)
    assert f"loaded      {len(named)} tensors" in said and "fresh" in said, said

    recipe.write_text(PLAIN % ("", 7))  # a head for other classes stays fresh
    report = json.loads(fovea.said("import", theirs, "--recipe", recipe, "-o", plain, "--json"))
    assert report["fresh_head"] and len(report["loaded"]) == len(named) - len(report["fresh_head"]), report

    recipe.write_text(PLAIN % ("", classes))
    without = {n: t for n, t in named.items() if n != "features.1.conv.0.0.weight"}
    write_safetensors(theirs, without, {})
    out = folder / "refused.safetensors"
    fovea.refuses("features.1.conv.0.0.weight", "import", theirs, "--recipe", recipe, "-o", out, code=1)
    assert not out.exists()
    partial = json.loads(fovea.said("import", theirs, "--recipe", recipe, "-o", out, "--partial", "--json"))
    assert len(partial["missing"]) == 1, partial
    write_safetensors(theirs, {**named, "surplus.weight": ("F32", [1], b"\0\0\0\0")}, {})
    fovea.refuses("surplus.weight", "import", theirs, "--recipe", recipe, "-o", out, code=1)
    theirs.write_bytes(theirs.read_bytes()[:-1000])
    fovea.refuses("theirs.safetensors", "import", theirs, "--recipe", recipe, "-o", out, code=1)
    fovea.refuses("no_such", "import", folder / "no_such.safetensors", "--recipe", recipe, "-o", out, code=1)
    fovea.refuses("--recipe", "import", theirs, "-o", out)


def test(fovea):
    photos = program.photographs("messi5", "home", "baboon")
    with program.scratch("convert") as folder:
        model = export(fovea, folder, photos)
        import_again(fovea, folder, model, photos)
    return "exported, imported"


program.main(test)
