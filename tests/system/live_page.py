#!/usr/bin/python3
"""The live page in a real browser: the picture comes, the figures are told, what its controls set arrives, and its console stays silent.

usage: live_page.py FOVEA MAKE_MODEL [FOLDER FOR SCREENSHOTS]
"""
import json
import subprocess
import time

from devtools import Tab, chromium, find_chromium
from PIL import Image, ImageDraw
from program import main, scratch

SETTINGS = "fetch('/settings').then(answer => answer.json())"
# Not black, not of one colour: a picture.
PICTURE = """(() => {
  const canvas = document.getElementById('picture');
  if (canvas.hidden || !canvas.width) return false;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(data.filter((_, i) => i % 4 !== 3)).size > 20;
})()"""


def scene(folder):
    """Discs on a slope, as a folder of pictures."""
    folder.mkdir()
    for k in range(20):
        image = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
        draw = ImageDraw.Draw(image)
        for i in range(4):
            x, y = (40 + 140 * i + 12 * k) % 600, 80 + 90 * (i % 3)
            draw.ellipse([x, y, x + 50, y + 50], fill=(230, 60 * i, 50))
        image.save(folder / f"{k:02d}.jpg", quality=90)
    return folder


def check_controls(tab):
    assert tab.value(SETTINGS)["layer"] == "none"
    tab.value("(() => { const t = document.getElementById('threshold'); t.value = 0.35;"
              " t.dispatchEvent(new Event('input')); })()")
    tab.value("document.getElementById('layer-on').click()")
    tab.value("(() => { const o = document.getElementById('opacity'); o.value = 0.7; o.dispatchEvent(new Event('input')); })()")
    end = time.time() + 10
    while True:
        got = tab.value(SETTINGS)
        if (got["threshold"], got["layer"], got["opacity"]) == (0.35, got["layers"][1], 0.7):
            break
        assert time.time() < end, got
        time.sleep(0.1)
    tab.wait_for("document.getElementById('threshold-value').textContent === '0.35'")
    assert tab.value("document.getElementById('problem').textContent") == ""
    assert tab.value("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than its window"


def check_page(tab, address, pictures):
    tab.resize(1280, 800)
    tab.call("Page.navigate", url=address)
    tab.wait_for("location.pathname === '/' && location.search === '' && document.readyState === 'complete'")
    tab.wait_for(PICTURE)
    tab.wait_for("document.getElementById('fps').textContent > '0'")
    tab.wait_for("document.getElementById('state-name').textContent === 'running'")
    check_controls(tab)
    tab.value("new Promise(done => setTimeout(done, 1500))")  # some pictures with the layer, and figures of a while
    if pictures:
        tab.screenshot(pictures / "live_page_wide.png")
    tab.resize(400, 900)
    assert tab.value("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a narrow window"
    if pictures:
        tab.value("new Promise(done => setTimeout(done, 300))")
        tab.screenshot(pictures / "live_page_narrow.png")
    assert not tab.problems, tab.problems


def test(fovea, make_model, pictures=None):
    find_chromium()
    with scratch("live-page") as folder:
        model = folder / "detector.safetensors"
        subprocess.run([make_model, model, "detect"], check=True)
        run = subprocess.Popen([fovea.file, "camera", str(scene(folder / "scene")), "--loop", "--rate", "10", "--model", str(model),
                                "--conf", "0.1", "--max-det", "6", "--json", "--serve"], stdout=subprocess.PIPE)
        try:
            address = next(e["address"] for e in map(json.loads, run.stdout) if e["event"] == "page")
            with chromium(folder) as port:
                check_page(Tab(port), address, pictures)
        finally:
            run.terminate()
            assert run.wait(10) == 0, run.returncode
    return "the live page shows pictures and figures, takes settings, and has nothing to complain of"


main(test)
