#!/usr/bin/python3
"""A report's slices in a real browser: a volume of 300 weighs nothing until it is looked at, keys move the slider, the picture follows, and the console stays
silent.

usage: report_slider.py FOVEA [FOLDER FOR SCREENSHOTS]
"""
import numpy

from devtools import Tab, chromium, find_chromium
from highlight import make_model
from program import Page, main, nifti, scratch

SLICES = 300
SLIDER = "document.querySelector('.slices')"


def volume(file):
    voxels = numpy.full((SLICES, 20, 24), 10, numpy.float32)
    for z in range(SLICES):
        voxels[z, 5:9, z % 20:z % 20 + 4] = 190
    file.write_bytes(nifti((24, 20, SLICES), voxels.tobytes()))


def press(tab, key, code):
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


def shows(tab, number):
    """The picture of that slice is there, all of it."""
    tab.wait_for(f"(i => i.src.endsWith('/{number:04d}.png') && i.complete && i.naturalWidth > 0)({SLIDER}.querySelector('img'))")
    assert tab.value(f"{SLIDER}.querySelector('output').textContent") == f"picture {number} ({number} of {SLICES})"


def check_page(tab, report, pictures):
    tab.resize(1280, 900)
    tab.call("Page.navigate", url=report.as_uri())
    tab.wait_for("location.protocol === 'file:' && document.readyState === 'complete'")
    tab.value(f"{SLIDER}.scrollIntoView({{block: 'center'}})")
    shows(tab, 1)
    loaded = tab.value("performance.getEntriesByType('resource').filter(e => e.name.endsWith('.png')).length")
    assert loaded <= 2, f"{loaded} pictures were loaded before anybody looked at them"
    tab.value(f"{SLIDER}.querySelector('input').focus()")
    for _ in range(3):
        press(tab, "ArrowRight", 39)
    shows(tab, 4)
    press(tab, "End", 35)
    shows(tab, SLICES)
    press(tab, "Home", 36)
    shows(tab, 1)
    for _ in range(9):
        press(tab, "ArrowRight", 39)
    shows(tab, 10)
    if pictures:
        tab.screenshot(pictures / "report_slider_wide.png")
    tab.resize(400, 800)
    assert tab.value("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a narrow window"
    if pictures:
        tab.value(f"{SLIDER}.scrollIntoView({{block: 'center'}})")
        tab.screenshot(pictures / "report_slider_narrow.png")
    assert not tab.problems, tab.problems


def test(fovea, pictures=None):
    find_chromium()
    with scratch("report-slider") as folder:
        volume(folder / "chest 50% #1.nii.gz")
        fovea.run("highlight", folder / "chest 50% #1.nii.gz", "-m", make_model(fovea, folder), "-o", folder / "out", "--report", "--quiet")
        report = folder / "out" / "report.html"
        assert report.stat().st_size < 30000, report.stat().st_size
        assert len(Page(report).images) == 1
        with chromium(folder) as port:
            check_page(Tab(port), report, pictures)
    return f"{SLICES} slices behind a slider, loaded as they are looked at"


main(test)
