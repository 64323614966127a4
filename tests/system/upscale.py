#!/usr/bin/python3
"""`fovea upscale` on photographs that were made smaller: sides, depth, alpha and orientation of what is written, quality against bicubic
interpolation by another library, maps, report, reruns, and wrong calls.

usage: upscale.py FOVEA
"""
import numpy
from PIL import Image

import program
from program import QUARANTINED, Page, ledger, summary

NAMES = ["butterfly", "fruits", "home", "messi5"]
SCALE = 2


def luminance(image):
    return 16 + numpy.asarray(image.convert("RGB")).astype(numpy.float64) @ numpy.array([65.481, 128.553, 24.966]) / 255


def psnr(a, b):
    difference = (luminance(a) - luminance(b))[SCALE:-SCALE, SCALE:-SCALE]
    return 10 * numpy.log10(255**2 / numpy.mean(difference**2))


def halved(photos, folder):
    """Middles of the photographs, and what is left of them at half the sides: name -> the true picture."""
    truth = {}
    for photo in photos:
        whole = Image.open(photo).convert("RGB")
        left, top = (whole.width - 192) // 2, (whole.height - 160) // 2
        truth[photo.stem] = whole.crop((left, top, left + 192, top + 160))
        truth[photo.stem].resize((96, 80), Image.BICUBIC).save(folder / f"{photo.stem}.png")
    return truth


def quality(fovea, folder, photos):
    small, large, exact = folder / "small", folder / "large", folder / "exact"
    small.mkdir(), exact.mkdir()
    truth = halved(photos, small)
    bad = program.unreadable(small)
    command = ["upscale", small, "-o", large, "--scale", SCALE, "--maps", "--report", "--json"]
    first = summary(fovea.said(*command, code=QUARANTINED))
    assert (first["done"], first["quarantined"], first["left"]) == (len(truth), len(bad), 0), first
    assert first["model_for_jpeg"] == "photo-x2", first
    gains = {}
    for name, wanted in truth.items():
        got = Image.open(large / f"{name}.png")
        assert got.size == wanted.size and got.mode == "RGB", (name, got)
        bicubic = Image.open(small / f"{name}.png").resize(wanted.size, Image.BICUBIC)
        gains[name] = psnr(got, wanted) - psnr(bicubic, wanted)
        assert list(large.glob(f"{name}.png.*")) or list(large.glob(f"{name}.*.png")), sorted(large.iterdir())
        wanted.save(exact / f"{name}.png")
    # The shipped network gains 2.4 dB over Set14; no photograph may lose.
    assert min(gains.values()) > 0 and numpy.mean(list(gains.values())) > 1, gains
    page = Page(large / "report.html")
    assert len(page.images) >= len(truth) and all(name in page.text for name in [*truth, *bad]), page.text
    assert all(ledger(large)[name]["state"] == "quarantined" for name in bad)
    again = summary(fovea.said(*command, code=QUARANTINED))
    assert (again["done"], again["up_to_date"]) == (0, len(truth)), again
    plain = folder / "plain"
    fovea.run("upscale", *(small / f"{name}.png" for name in truth), "-o", plain, "--scale", SCALE, "--quiet")
    table = fovea.said("eval", "pictures", plain, exact, "--border", SCALE)
    for name, wanted in truth.items():
        value = psnr(Image.open(plain / f"{name}.png"), wanted)
        row = next(line.split() for line in table.splitlines() if line.startswith(f"{name}.png "))
        assert abs(float(row[1]) - value) < 0.011, (row, value)
    return gains


def kinds(fovea, folder):
    """Grey stays grey, 16 bits stay 16, alpha stays, EXIF's orientation is applied, one pixel is enough."""
    given, out = folder / "kinds", folder / "kinds-out"
    given.mkdir()
    ramp = numpy.add.outer(numpy.arange(40), 3 * numpy.arange(50))
    grey = (ramp * 257 + 31).astype(numpy.uint16)
    Image.fromarray(grey).save(given / "deep.png")
    Image.fromarray(ramp.astype(numpy.uint8)).save(given / "grey.png")
    alpha = numpy.dstack([ramp, ramp, ramp, numpy.where(ramp > 90, 255, 0)]).astype(numpy.uint8)
    Image.fromarray(alpha, "RGBA").save(given / "alpha.png")
    Image.fromarray(alpha[..., :3][:1, :1].copy(), "RGB").save(given / "one.png")
    turned = Image.fromarray(alpha[..., :3].copy(), "RGB")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(given / "turned.jpg", exif=exif, quality=95)
    fovea.run("upscale", given, "-o", out, "--scale", SCALE, "--quiet")
    deep = numpy.asarray(Image.open(out / "deep.png")).astype(numpy.int64)
    assert deep.shape == (80, 100) and numpy.unique(deep).size > 256, deep
    # A ramp stays one: where nothing bends, half a step of 8 bits off at most.
    assert numpy.abs(deep[8:-8:2, 8:-8:2] - grey[4:-4, 4:-4].astype(numpy.int64)).max() < 3 * 257, deep
    assert Image.open(out / "grey.png").mode == "L" and Image.open(out / "grey.png").size == (100, 80)
    larger = numpy.asarray(Image.open(out / "alpha.png"))
    assert larger.shape == (80, 100, 4) and {0, 255} <= set(larger[..., 3].ravel().tolist()), larger.shape
    assert Image.open(out / "one.png").size == (2, 2)
    assert Image.open(out / "turned.jpg").size == (80, 100), Image.open(out / "turned.jpg")


def strengths(fovea, folder, photos):
    """JPEG files go to the model that learnt to undo what JPEG does, others do not; --denoise chooses for all."""
    given = folder / "given"
    given.mkdir()
    truth = halved(photos, given)
    gains = {}
    for name in truth:
        Image.open(given / f"{name}.png").save(given / f"{name}-50.jpg", quality=50, subsampling=2)

    def made(*options):
        out = folder / "-".join(map(str, ["strength", *options]))
        fovea.run("upscale", given, "-o", out, "--format", "png", "--report", "--quiet", *options)
        return {file.stem: file.read_bytes() for file in out.glob("*.png")}, out

    usual, folder_of_usual = made("--scale", SCALE)
    photo, _ = made("--model", "photo-x2", "--denoise", 0.85)
    clean, _ = made("--model", "upscale-x2")
    assert len(usual) == 2 * len(truth)
    for name, content in usual.items():
        assert content == (photo if name.endswith("-50") else clean)[name], name
        assert photo[name] != clean[name], name
    assert made("--scale", SCALE, "--denoise", 0)[0] == clean
    assert made("--scale", SCALE, "--denoise", 1)[0] == made("--model", "photo-x2")[0]
    assert "photo-x2" in Page(folder_of_usual / "report.html").text
    for name, wanted in truth.items():
        bicubic = Image.open(given / f"{name}-50.jpg").resize(wanted.size, Image.BICUBIC)
        gains[name] = psnr(Image.open(folder_of_usual / f"{name}-50.png"), wanted) - psnr(bicubic, wanted)
    assert min(gains.values()) > 0.3, gains
    fovea.refuses("--scale 2 or 4", "upscale", given, "-o", folder / "three", "--scale", 3, "--denoise", 0.5)
    fovea.refuses("has no strength", "upscale", given, "-o", folder / "none", "--model", "upscale-x2", "--denoise", 0.5)
    fovea.refuses("--denoise", "upscale", given, "-o", folder / "much", "--scale", SCALE, "--denoise", 2)


def hostile(fovea, folder, photo):
    out = folder / "hostile"
    absent = fovea.run("upscale", folder / "no_such.jpg", "-o", out, "--scale", SCALE, code=QUARANTINED)
    assert "no_such.jpg: no such file" in absent.stderr, absent.stderr
    fovea.refuses("expected -o FOLDER", "upscale", photo, "--scale", SCALE)
    fovea.refuses("--scale", "upscale", photo, "-o", out, "--scale", 7)
    fovea.refuses("photo-cbam", "upscale", photo, "-o", out, "--model", "photo-cbam")
    fovea.refuses("--tile", "upscale", photo, "-o", out, "--scale", SCALE, "--tile", "wide")
    fovea.refuses("--quality", "upscale", photo, "-o", out, "--scale", SCALE, "--quality", 0)


def test(fovea):
    photos = program.photographs(*NAMES)
    with program.scratch("upscale") as folder:
        gains = quality(fovea, folder, photos)
        kinds(fovea, folder)
        strengths(fovea, folder, photos)
        hostile(fovea, folder, photos[0])
    return "gains over bicubic in dB: " + ", ".join(f"{name} {gain:.2f}" for name, gain in gains.items())


program.main(test)
