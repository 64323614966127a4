#!/usr/bin/python3
"""`fovea upscale` on photographs: every scale, kinds of pictures that must stay what they are, tiles, maps, the report, lists of files,
what cannot be read, wrong calls.

usage: upscale.py FOVEA
"""
import numpy
from PIL import Image

import program
from program import QUARANTINED, Page, ledger, summary


def pixels(file):
    return numpy.asarray(Image.open(file)).astype(numpy.float64)


def scales(fovea, folder, photo):
    picture = Image.open(photo).crop((40, 40, 136, 112))
    picture.save(folder / "small.png")
    for scale in (2, 3, 4):
        out = folder / f"x{scale}"
        said = summary(fovea.said("upscale", folder / "small.png", "-o", out, "--scale", scale, "--json", "--no-tune"))
        assert (said["done"], said["left"], said["precision"], said["model"]) == (1, 0, "f32", f"upscale-x{scale}"), said
        larger = Image.open(out / "small.png")
        assert larger.size == (96 * scale, 72 * scale) and larger.mode == "RGB", larger
        back = numpy.asarray(larger.resize((96, 72), Image.BOX)).astype(float)
        assert numpy.abs(back - numpy.asarray(picture)).mean() < 3, "another picture"
        bicubic = numpy.asarray(picture.resize(larger.size, Image.BICUBIC)).astype(float)
        assert numpy.abs(numpy.asarray(larger) - bicubic).mean() > 0.3, "no more than bicubic"


def kinds(fovea, folder, photo):
    """8 and 16 bit, grey, alpha, EXIF orientation."""
    made, out = folder / "kinds", folder / "kinds_out"
    (made / "deep").mkdir(parents=True)
    picture = Image.open(photo).crop((0, 0, 64, 40))
    picture.convert("L").save(made / "grey.png")
    picture.convert("RGBA").save(made / "deep" / "alpha.png")
    Image.fromarray((numpy.asarray(picture.convert("L")).astype(numpy.uint16) * 257 + 3)).save(made / "deep" / "sixteen.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    picture.save(made / "turned.jpg", exif=turned, quality=95)
    fovea.said("upscale", made, "-o", out, "--scale", 2, "--quiet", "--no-tune")
    expected = {"grey.png": ("L", (128, 80)), "deep/alpha.png": ("RGBA", (128, 80)), "deep/sixteen.png": ("I;16", (128, 80)),
                "turned.jpg": ("RGB", (80, 128))}
    for name, (mode, size) in expected.items():
        got = Image.open(out / name)
        assert got.size == size and (got.mode == mode or mode == "I;16" and got.mode == "I"), (name, got)
        assert got.getexif().get(0x0112, 1) == 1, name
    assert pixels(out / "deep/sixteen.png").max() > 255 and pixels(out / "deep/alpha.png")[..., 3].min() == 255


def tiles_and_maps(fovea, folder, photos):
    whole, tiled = folder / "whole", folder / "tiled"
    command = ["upscale", *photos, "--scale", 2, "--format", "png", "--json", "--no-tune", "-o"]
    said = summary(fovea.said(*command, whole, "--tile", 0, "--report", "--maps", "npy"))
    assert (said["done"], said["tile"] if "tile" in said else 0) == (len(photos), 0), said
    fovea.said(*command, tiled, "--tile", 96)
    for photo in photos:
        a, b = pixels(whole / f"{photo.stem}.png"), pixels(tiled / f"{photo.stem}.png")
        assert a.shape == b.shape and numpy.abs(a - b).mean() < 0.2, f"tiles show in {photo.stem}"
        maps = list(whole.glob(f"{photo.stem}.*.npy"))
        size = Image.open(photo).size
        assert maps and all(numpy.load(m).shape in {(size[1], size[0]), (2 * size[1], 2 * size[0])} for m in maps), maps
    page = Page(whole / "report.html")
    assert len(page.images) >= 2 * len(photos) and all(p.name in page.text for p in photos)
    again = summary(fovea.said(*command, tiled, "--tile", 96))
    assert (again["done"], again["up_to_date"]) == (0, len(photos)), again


def lists_and_hostile(fovea, folder, photo):
    small, bad = folder / "small.png", folder / "bad"
    bad.mkdir()
    names = program.unreadable(bad)
    listed = "".join(f"{f}\n" for f in (small, *(bad / n for n in names), folder / "no_such.png"))
    out = folder / "listed"
    said = summary(fovea.said("upscale", "-", "-o", out, "--scale", 2, "--json", "--no-tune", text=listed, code=QUARANTINED))
    assert (said["done"], said["quarantined"], said["left"]) == (1, len(names) + 1, 0), said
    for name in names:
        record = ledger(out)[name]
        assert record["state"] == "quarantined" and record["reason"], record
    assert len([f for f in out.rglob("*") if f.suffix in (".png", ".jpg")]) == 1, list(out.rglob("*"))
    text = fovea.run("upscale", bad, "-o", folder / "plain", "--scale", 2, "--no-tune", code=QUARANTINED)
    assert all(name in text.stdout + text.stderr for name in names), text

    refused = ["-o", folder / "refused"]
    fovea.refuses("--scale", "upscale", small, *refused)
    fovea.refuses("x7", "upscale", small, *refused, "--scale", 7)
    fovea.refuses("photo-cbam", "upscale", small, *refused, "--model", "photo-cbam")
    fovea.refuses("--scale 3", "upscale", small, *refused, "--model", "upscale-x2", "--scale", 3)
    fovea.refuses("--tile", "upscale", small, *refused, "--scale", 2, "--tile", "many")
    fovea.refuses("--format", "upscale", small, *refused, "--scale", 2, "--format", "gif")
    fovea.refuses("expected a folder", "upscale", small, "-o", small, "--scale", 2)
    fovea.refuses("no images", "upscale", *refused, "--scale", 2)
    assert not (folder / "refused").exists(), "a wrong call made its folder"


def test(fovea):
    photos = program.photographs("home", "messi5")
    with program.scratch("upscale") as folder:
        scales(fovea, folder, program.photographs("baboon")[0])
        kinds(fovea, folder, photos[0])
        tiles_and_maps(fovea, folder, photos)
        lists_and_hostile(fovea, folder, photos[0])
    return "three scales, four kinds, tiles, maps"


program.main(test)
