#!/usr/bin/python3
"""The programs of apps/examples run and do what they say; the README shows the first of them as it is.

Usage: examples.py FOLDER_OF_PROGRAMS SOURCE_FOLDER
"""
import pathlib
import re
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw, ImageFilter

PHOTOGRAPH = pathlib.Path("/usr/share/doc/opencv-doc/examples/data/messi5.jpg")


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def said(*command):
    done = run(*command)
    assert done.returncode == 0, done
    return done.stdout


def classify_with_map(programs, folder):
    text = said(programs / "classify_with_map", PHOTOGRAPH, folder / "map.png")
    found = re.findall(r"^ *([\d.]+) %  \S.*$", text, re.M)
    assert len(found) == 5 and "soccer ball" in text.splitlines()[0], text
    picture, photograph = Image.open(folder / "map.png").convert("RGB"), Image.open(PHOTOGRAPH)
    assert picture.width == photograph.width and picture.height > photograph.height, picture.size  # the legend below
    grey = [len(set(picture.getpixel((x, 100)))) == 1 for x in range(picture.width)]
    # The network saw the middle square only: there are colours in it and none beside it.
    assert all(grey[:100]) and all(grey[-100:]) and not any(grey[picture.width // 2 - 50:picture.width // 2 + 50])
    wrong = run(programs / "classify_with_map", folder / "none.jpg", folder / "map.png")
    assert wrong.returncode == 1 and "none.jpg: cannot read" in wrong.stderr, wrong


def own_block(programs):
    text = said(programs / "own_block")
    losses = [float(v) for v in re.findall(r"^step \d+: loss ([\d.]+)$", text, re.M)]
    assert len(losses) == 4 and losses[-1] < losses[0] / 4, text
    assert re.search(r"^backbone\.layer2\.0\.pre_add\.mean_gate\.channel: 4x32x1x1$", text, re.M), text
    assert re.findall(r"^picture \d: (\w+)$", text, re.M) == ["dark", "dark", "bright", "bright"], text


def two_models(programs, folder):
    text = said(programs / "two_models", PHOTOGRAPH, folder / "larger.png")
    photograph, larger = Image.open(PHOTOGRAPH), Image.open(folder / "larger.png")
    assert larger.size == (2 * photograph.width, 2 * photograph.height), larger.size
    assert text.startswith("soccer ball, ") and text.endswith(f"now {larger.width} x {larger.height}\n"), text


def detect_pictures(programs, folder):
    """Six rings such as red blood cells look like under a microscope."""
    places = ((60, 60), (260, 80), (470, 60), (90, 300), (300, 280), (500, 300))
    cells = Image.new("RGB", (640, 480), (222, 216, 222))
    draw = ImageDraw.Draw(cells)
    for x, y in places:
        draw.ellipse([x, y, x + 100, y + 100], fill=(188, 140, 150))
        draw.ellipse([x + 35, y + 35, x + 65, y + 65], fill=(205, 175, 180))
    cells.filter(ImageFilter.GaussianBlur(2)).save(folder / "cells.png")
    text = said(programs / "detect_pictures", "cells", folder / "cells.png")
    assert len(re.findall(r"^RBC 0\.[5-9]\d$", text, re.M)) == len(places), text
    drawn = Image.open(folder / "cells.png.boxes.png")
    for x, y in places:  # an edge of a box within 30 pixels of every cell's
        around = [drawn.getpixel((c, y + 50)) for c in range(max(0, x - 30), x + 30)]
        assert any(g > 200 and r < 60 and b < 60 for r, g, b in around), (x, y)


def own_stage(programs, folder):
    """The cells that detect_pictures found are blurred, what lies beside them is as it was."""
    (folder / "broken.png").write_text("no picture")
    done = run(programs / "own_stage", "cells", folder / "blurred", folder / "cells.png", folder / "broken.png")
    assert done.returncode == 3 and "broken.png" in done.stderr and not (folder / "blurred/broken.png").exists(), done
    cells, blurred = Image.open(folder / "cells.png"), Image.open(folder / "blurred/cells.png")
    assert blurred.size == cells.size
    for x, y in ((60, 60), (470, 60), (300, 280)):  # the edges of a cell's inner ring
        assert blurred.getpixel((x + 35, y + 50)) != cells.getpixel((x + 35, y + 50)), (x, y)
    assert all(blurred.getpixel(p) == cells.getpixel(p) for p in ((5, 5), (635, 5), (5, 475), (200, 240)))


def train_and_run(programs, folder):
    for label, colour in (("dark", 40), ("bright", 210)):
        for i in range(12):
            file = folder / "pictures" / label / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 36), (colour, colour + 2 * i, colour - i)).save(file)
    (folder / "pictures/dark/broken.png").write_text("no picture")
    done = run(programs / "train_and_run", folder / "pictures", folder / "run")
    assert done.returncode == 3, done  # one is quarantined
    assert re.search(r"^score 1\.000$", done.stdout, re.M) and "24 pictures, 1 quarantined" in done.stdout, done
    table = (folder / "run/answers/predictions.csv").read_text().splitlines()
    assert len(table) == 25 and table[0] == "file,class_1,probability_1,class_2,probability_2", table[0]
    for line in table[1:]:
        fields = line.split(",")
        assert fields[1] == pathlib.Path(fields[0]).parent.name, line
    assert "Fovea classify" in (folder / "run/answers/report.html").read_text()


def main():
    programs, source = map(pathlib.Path, sys.argv[1:])
    shown = re.findall(r"^```cpp\n(.*?)^```$", (source / "README.md").read_text(), re.M | re.S)
    assert (source / "apps/examples/classify_with_map.cpp").read_text() in shown, "the README shows another classify_with_map.cpp"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        own_block(programs)
        detect_pictures(programs, folder)
        own_stage(programs, folder)
        train_and_run(programs, folder)
        if not PHOTOGRAPH.exists():
            print(f"no photograph at {PHOTOGRAPH}: is opencv-doc installed with its documents?")
            sys.exit(77)
        classify_with_map(programs, folder)
        two_models(programs, folder)
    print("six examples")


main()
