#!/usr/bin/python3
"""`fovea list` and `fovea describe`: what they print as text and as JSON agrees, with each other and with a network that is known.

usage: list.py FOVEA README
"""
import json
import re

import program

RECIPE = """fovea: 1
model:
  backbone: {type: resnet18}
  attention:
    - {at: "backbone.layer4.*.pre_add", type: se, reduction: 16}
  head: {type: classify, classes: 10}
"""
# ResNet-18 with ten classes as torchvision counts it, and two SE blocks of width 512: two layers to 32 and back, with biases.
PARAMETERS = 11181642 + 2 * (512 * 32 + 32 + 32 * 512 + 512)


def entries(fovea, what):
    listed = json.loads(fovea.said("list", what, "--json"))
    text = fovea.said("list", what)
    names = [e["name"] for e in listed]
    assert names and len(set(names)) == len(names), names
    assert re.findall(r"^([a-z]\w*) ", text, re.M)[1:] == names, text  # the first line has the columns' names
    for e in listed:
        assert e["text"] and e["kind"] and e["fits"] and (e["parameters"] is None or e["parameters"] >= 0), e
        assert ("error" in e or e["kind"] == "sequences") == (e["multiply_adds"] is None), e
        assert all(o["name"] and o["text"] for o in e["options"]), e
    return {e["name"]: e for e in listed}


def test(fovea, readme):
    blocks, backbones, heads = (entries(fovea, what) for what in ("attention", "backbones", "heads"))
    used = set(re.findall(r"type: (\w+), start: identity", readme.read_text())) - {"mean_gate"}  # which the reader writes
    assert used and used <= set(blocks), used - set(blocks)
    assert {"mocha", "coattention", "soft_attention"} <= {n for n, e in blocks.items() if e["kind"] == "sequences"}, blocks
    assert {"resnet18", "mobilenet_v2"} <= set(backbones) and "classify" in heads, (list(backbones), list(heads))
    (se,) = json.loads(fovea.said("list", "attention", "se", "--json", "--channels", 64, "--side", 8))
    assert {o["name"] for o in se["options"]} >= {"reduction"} and se["parameters"] < blocks["se"]["parameters"], se

    groups = json.loads(fovea.said("list", "training", "--json"))
    text, page = fovea.said("list", "training"), readme.read_text()
    for group in groups:
        for key in group["keys"]:
            assert key["text"] and re.search(rf"^  {key['name']} ", text, re.M), key
            row = f"| `{group['path']}.{key['name']}` | {key['default'] or '-'} |"
            assert row in page, f"README lacks: {row} {key['text']} |"
    assert {"train", "train.optimizer", "train.schedule", "train.teacher", "train.augment", "train.degrade"} <= {g["path"] for g in groups}
    segment = fovea.said("list", "training", "segment")
    assert "crop " in segment and "label_smoothing" not in segment, segment
    fovea.refuses("did you mean 'classify'", "list", "training", "clasify", code=1)

    with program.scratch("list") as folder:
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE)
        slots = json.loads(fovea.said("list", "slots", recipe, "--json"))
        filled = [s["at"] for s in slots if s["blocks"]]
        assert filled == [f"backbone.layer4.{i}.pre_add" for i in range(2)], filled
        lines = [line.split() for line in fovea.said("list", "slots", recipe).splitlines()[1:]]
        assert [(l[0], l[1], int(l[2])) for l in lines] == [(s["at"], s["kind"], s["channels"]) for s in slots], lines
        known = json.loads(fovea.said("describe", recipe, "--json"))
        assert known["parameters"] == PARAMETERS, known
        assert abs(known["multiply_adds"] / 1.8136e9 - 1) < 0.002 and (known["height"], known["width"]) == (224, 224), known
        assert known["slots"] == slots and (known["features"][-1]["channels"], known["features"][-1]["stride"]) == (512, 32), known
        text = fovea.said("describe", recipe)
        assert "11.2 M parameters" in text and all(at in text for at in filled), text

        fovea.refuses("no_such", "list", "attention", "no_such", code=1)
        fovea.refuses("no_such", "describe", "no_such", code=1)
        fovea.refuses("recipe", "list", "slots", code=1)
        fovea.refuses("no_such", "list", "no_such")
        recipe.write_text(RECIPE.replace("type: se,", "type: sse,"))
        fovea.refuses(f"{recipe}:5", "describe", recipe, code=1)  # with the line, and what it may have meant
        recipe.write_text(RECIPE.replace("layer4", "layer9"))
        fovea.refuses("backbone.layer1.0.pre_add", "describe", recipe, code=1)  # the slots that there are
    shipped = json.loads(fovea.said("describe", "photo-cbam", "--json"))
    assert shipped["parameters"] == 3564468 and sum(bool(s["blocks"]) for s in shipped["slots"]) == 14, shipped["parameters"]
    return f"{len(blocks)} blocks, {len(backbones)} backbones, {len(heads)} heads"


program.main(test)
