#!/usr/bin/env python3
"""Sorts pictures into folders for `fovea fit-normal` and `fovea eval`: OUT/fit (normal ones), OUT/judge/normal and OUT/judge/anomalous, as links.

Usage: anomaly_folders.py platelets BCCD OUT            fields of blood cells whose annotations have no platelets are normal, by the lists train and val
       anomaly_folders.py nuclei DSB2018 FLICKR8K OUT   micrographs of nuclei are normal (every fifth is judged), photographs (dev.txt) are not
Needs Python alone.
"""
import pathlib
import shutil
import sys
from xml.etree import ElementTree


def link(folder, files):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file)
    print(f"{folder}: {len(files)} pictures")


def has_platelets(annotation):
    return any(o.findtext("name") == "Platelets" for o in ElementTree.parse(annotation).getroot().iter("object"))


def platelets(bccd, out):
    def pictures(part, wanted):
        names = (bccd / "ImageSets" / f"{part}.txt").read_text().split()
        return [bccd / "JPEGImages" / f"{n}.jpg" for n in names if has_platelets(bccd / "Annotations" / f"{n}.xml") == wanted]
    link(out / "fit", pictures("train", False))
    link(out / "judge" / "normal", pictures("val", False))
    link(out / "judge" / "anomalous", pictures("val", True))


def nuclei(dsb, flickr8k, out):
    all_of_them = sorted((dsb / "images").iterdir())
    link(out / "fit", [f for i, f in enumerate(all_of_them) if i % 5 != 0])
    link(out / "judge" / "normal", all_of_them[::5])
    link(out / "judge" / "anomalous", [flickr8k / "images" / name for name in (flickr8k / "dev.txt").read_text().split()])


def main():
    kinds = {"platelets": (platelets, 2), "nuclei": (nuclei, 3)}
    if len(sys.argv) < 2 or sys.argv[1] not in kinds or len(sys.argv) != 2 + kinds[sys.argv[1]][1]:
        sys.exit(__doc__)
    kinds[sys.argv[1]][0](*(pathlib.Path(a).absolute() for a in sys.argv[2:]))


main()
