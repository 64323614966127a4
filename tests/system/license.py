#!/usr/bin/python3
"""Terms of models on the command line: one line on standard error where a model is loaded, a policy that every command obeys, files that keep
what they say through export, import and training.

usage: license.py FOVEA
"""
import json
import subprocess

from program import DONE, USAGE, main, noisy_png, read_safetensors, scratch, write_safetensors

CLOSED = ["--license-policy", "no-research"]
TRAINED = """fovea: 1
license: {weights: MIT, data: "MIT: ours"}
model:
  head: {type: a2n_light, scale: 2, width: 32, blocks: 4}
train: {task: upscale, data: [data], patch: 12, batch: 2, steps: 1, threads: 1, weights: upscale-x2}
"""


def check_line(fovea, picture):
    """Said once for a model, on standard error alone."""
    done = fovea.run("classify", picture, "--model", "photo-cbam", "--json", "--no-tune")
    json.loads(done.stdout)
    (line,) = [l for l in done.stderr.splitlines() if "weights under" in l]
    assert line.startswith("fovea: photo-cbam: weights under Apache-2.0, data under research only: Flickr8k"), line
    assert "weights under" not in fovea.run("classify", picture, "--model", "photo-cbam", "--quiet", "--no-tune").stderr


def check_policy(fovea, folder, picture):
    """Every command that loads a model refuses one for research, says why, and takes one that is free."""
    out, recipe = folder / "refused", folder / "recipe.yaml"
    recipe.write_text(TRAINED)
    (folder / "teacher.yaml").write_text(TRAINED.replace(", weights: upscale-x2", ", teacher: {model: upscale-x2, logits: 0, "
                                                         "features: [{teacher: conv_first, student: conv_first}]}"))
    photo = ["--model", "photo-cbam"]
    commands = [["classify", picture, *photo], ["predict", picture, *photo], ["explain", picture, *photo, "-o", out],
                ["explain", "--list-layers", *photo], ["upscale", picture, "--scale", 2, "-o", out],
                ["upscale", picture, "--scale", 2, "--denoise", 0.5, "-o", out], ["eval", "photo-cbam", "--data", folder],
                ["plan", "photo-cbam"], ["describe", "photo-cbam"], ["list", "slots", "photo-cbam"],
                ["export", "photo-cbam", "-o", folder / "copy.safetensors"],
                ["train", recipe, "--data-root", folder, "-o", out, "--quiet"],
                ["train", folder / "teacher.yaml", "--data-root", folder, "-o", out, "--quiet"]]
    for command in commands:
        fovea.refuses("the licence policy refuses it", *command, *CLOSED)
    assert not (folder / "copy.safetensors").exists() and not list(out.glob("*.safetensors"))
    fovea.run("detect", picture, "--model", "cells", "--no-tune", "--license-policy", "open", code=DONE)
    by_environment = subprocess.run([fovea.file, "plan", "photo-cbam"], env={"FOVEA_LICENSE_POLICY": "open"}, capture_output=True, text=True)
    assert by_environment.returncode == USAGE and "the licence policy refuses it" in by_environment.stderr, by_environment
    fovea.refuses("no-research", "plan", "photo-cbam", "--license-policy", "free")
    return len(commands)


def terms(file):
    metadata = read_safetensors(file)[1]
    return metadata.get("license"), metadata.get("data_license")


def check_files(fovea, folder):
    """What a file says is described, and kept."""
    said = json.loads(fovea.said("describe", "cells", "--json"))["license"]
    assert said == {"weights": "Apache-2.0", "data": "MIT: BCCD_Dataset"}, said
    assert "weights under Apache-2.0, data under MIT: BCCD_Dataset" in fovea.said("describe", "cells")
    copy = folder / "copy.safetensors"
    fovea.run("export", "upscale-x2", "-o", copy)
    _, research = terms(copy)
    assert research.startswith("research only: T91"), research
    fovea.run("train", folder / "recipe.yaml", "--data-root", folder, "-o", folder / "run", "--quiet")
    assert terms(folder / "run/best.safetensors") == ("MIT; Apache-2.0", f"MIT: ours; {research}"), terms(folder / "run/best.safetensors")

    plain, recipe = folder / "plain.yaml", "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 32, blocks: 4}\n"
    plain.write_text(recipe)
    tensors, _ = read_safetensors(copy)
    write_safetensors(folder / "theirs.safetensors", tensors, {"format": "pt"})
    fovea.run("import", folder / "theirs.safetensors", "--recipe", plain, "-o", folder / "imported.safetensors")
    assert terms(folder / "imported.safetensors") == (None, None)
    fovea.refuses("nobody says", "plan", folder / "imported.safetensors", *CLOSED)
    stated = folder / "stated.safetensors"
    fovea.run("export", folder / "imported.safetensors", "-o", stated, "--metadata", "license=MIT", "data_license=CC0-1.0: ours")
    fovea.run("describe", stated, "--license-policy", "open")

    # a file may say anything
    metadata = read_safetensors(stated)[1]
    write_safetensors(stated, tensors, {**metadata, "license": "MIT\x1b[2J\r\n", "data_license": "MIT " + "x" * (1 << 20)})
    done = fovea.run("describe", stated)
    assert len(done.stdout) < 2000 and len(done.stderr) < 2000, (len(done.stdout), len(done.stderr))
    assert "\x1b" not in done.stdout + done.stderr and "a text of 1048580 bytes" in done.stderr, done.stderr
    fovea.refuses("unknown", "describe", stated, *CLOSED)


def test(fovea):
    with scratch("license") as folder:
        picture = folder / "picture.png"
        picture.write_bytes(noisy_png(64, 48, 1))
        (folder / "data").mkdir()
        for i in range(2):
            (folder / f"data/{i}.png").write_bytes(noisy_png(64, 48, i))
        check_line(fovea, picture)
        commands = check_policy(fovea, folder, picture)
        check_files(fovea, folder)
        return f"{commands} commands refuse"


main(test)
