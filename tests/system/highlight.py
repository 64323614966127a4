#!/usr/bin/python3
"""`fovea highlight` over a study as a hospital has it: a series whose files' names tell nothing, a volume, a picture, rubbish. DICOM objects are judged by
dciodvfy and read by pydicom and dcmjs; nothing that is written beside DICOM names the patient.

usage: highlight.py FOVEA
"""
import gzip
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import program

try:
    import numpy
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from PIL import Image
except ImportError as missing:
    program.skip(str(missing))

NAME, IDENTITY, BORN = "Doe^Jane", "SECRET-4711", "19700131"
ORIENTATION = [0.8, 0.6, 0, 0, 0, -1]
NORMAL = numpy.cross(ORIENTATION[:3], ORIENTATION[3:])
STEP = 2.5


def slice_file(file, number, bright):
    """One of a series along the normal of an oblique plane."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.4711.{number + 1}"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    d = FileDataset(str(file), {}, file_meta=meta, preamble=bytes(128))
    d.is_little_endian, d.is_implicit_VR = True, False
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = NAME, IDENTITY, BORN, "F"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = "1.2.826.0.1.47", "1.2.826.0.1.471", "1.2.826.0.1.4712"
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "20240229", "101500", "S1", "A1", "Who^Doctor"
    d.Modality, d.SeriesNumber, d.InstanceNumber, d.Manufacturer = "MR", 3, (number * 7) % 10, "Maker"
    d.ImagePositionPatient = [round(float(v), 6) for v in numpy.array([-20, 30, 100]) + number * STEP * NORMAL]
    d.ImageOrientationPatient, d.PixelSpacing, d.SliceThickness = ORIENTATION, [0.75, 0.5], STEP
    d.Rows, d.Columns, d.SamplesPerPixel, d.PhotometricInterpretation = 20, 24, 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    pixels = numpy.full((20, 24), 10, numpy.uint16)
    for row, column in bright:
        pixels[row, column] = 190
    d.PixelData = pixels.tobytes()
    d.save_as(str(file), write_like_original=False)


def volume_file(file):
    voxels = numpy.full((4, 5, 6), 10, numpy.float32)
    voxels[2, 3, 4] = 190
    file.write_bytes(program.nifti((6, 5, 4), voxels.tobytes()))


def make_model(fovea, folder):
    """Bright is what is brighter than the middle of the window."""
    recipe = folder / "bright.yaml"
    recipe.write_text(
        "fovea: 1\nlicense: {weights: CC0-1.0, data: none}\ncodes: {bright: {category: [49755003, SCT, Morphologically Altered Structure], type: [52988006, SCT, Lesion]}}\n"
        "model: {head: {type: highlight, classes: [bright]}}\npreprocess: {channels: 1, resize: none, window: [200, 100], mean: 0, std: 1}\n")
    program.write_safetensors(folder / "w.safetensors", {"conv.weight": ("F32", [1, 1, 1, 1], struct.pack("<f", 100)), "conv.bias": ("F32", [1], struct.pack("<f", -50))}, {})
    fovea.run("import", folder / "w.safetensors", "--recipe", recipe, "-o", folder / "bright.safetensors")
    return folder / "bright.safetensors"


def check_valid(file):
    """By the verifier of Debian's dicom3tools."""
    if not shutil.which("dciodvfy"):
        return
    verdict = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True)
    errors = [line for line in (verdict.stdout + verdict.stderr).splitlines() if line.startswith("Error")]
    assert not errors, errors


def dcmjs_folder():
    """Where npm has put dcmjs, as web viewers have it; None where npm or the network is missing."""
    folder = Path(sys.argv[1]).resolve().parent / "npm-dcmjs"
    if not (folder / "node_modules" / "dcmjs").exists():
        try:
            subprocess.run(["npm", "install", "--ignore-scripts", "--silent", "--prefix", str(folder), "dcmjs@0.41.0"], check=True, timeout=180, capture_output=True)
        except (OSError, subprocess.SubprocessError) as reason:
            print("not read by dcmjs:", reason)
            return None
    return folder


def check_by_dcmjs(files):
    """It reads what pydicom reads: kinds, identifiers, and how many items a report has."""
    folder = dcmjs_folder()
    if not folder:
        return
    script = """const dcmjs = require('dcmjs'), fs = require('fs');
    dcmjs.log.setLevel('error');
    console.log(JSON.stringify(process.argv.slice(1).map((file) => {
      const read = dcmjs.data.DicomMessage.readFile(new Uint8Array(fs.readFileSync(file)).buffer);
      const d = dcmjs.data.DicomMetaDictionary.naturalizeDataset(read.dict);
      const items = (c) => [].concat(c.ContentSequence || []).reduce((n, i) => n + items(i), 1);
      return [d.SOPClassUID, d.SOPInstanceUID, d.StudyInstanceUID, items(d)];
    })));"""
    done = subprocess.run(["node", "-e", script, *map(str, files)], capture_output=True, text=True, cwd=folder, check=True)

    def items(d):
        return 1 + sum(items(i) for i in d.get("ContentSequence", []))
    want = [[d.SOPClassUID, d.SOPInstanceUID, d.StudyInstanceUID, items(d)] for d in (pydicom.dcmread(str(f)) for f in files)]
    assert json.loads(done.stdout.splitlines()[-1]) == want, (done.stdout, want)


def check_report(file, segmentation):
    """What was measured, as TID 1500 has it: of a volume of four voxels of 0.75 x 0.5 x 2.5 mm, all of value 190."""
    check_valid(file)
    report, seg = pydicom.dcmread(str(file)), pydicom.dcmread(str(segmentation))
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.33" and report.Modality == "SR" and "not for diagnosis" in report.SeriesDescription
    assert report.PatientName == NAME and report.PatientID == IDENTITY and report.StudyInstanceUID == "1.2.826.0.1.47" and report.StudyDate == "20240229"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500" and report.ConceptNameCodeSequence[0].CodeValue == "126000"
    by_code = {i.ConceptNameCodeSequence[0].CodeValue: i for i in report.ContentSequence}
    assert by_code["121005"].ConceptCodeSequence[0].CodeMeaning == "Device" and by_code["121058"].ConceptCodeSequence[0].CodeValue == "25056-3"
    groups = by_code["126010"].ContentSequence
    assert len(groups) == 1 and groups[0].ContentTemplateSequence[0].TemplateIdentifier == "1411", groups
    inside = {i.ConceptNameCodeSequence[0].CodeValue: i for i in groups[0].ContentSequence if i.ValueType != "NUM"}
    assert inside["112039"].TextValue == "bright" and inside["121071"].ConceptCodeSequence[0].CodeValue == "52988006", inside
    segment = inside["121191"].ReferencedSOPSequence[0]
    assert segment.ReferencedSOPInstanceUID == seg.SOPInstanceUID and segment.ReferencedSegmentNumber == 1, segment
    assert inside["121232"].UID == "1.2.826.0.1.471", inside
    numbers = {}
    for item in (i for i in groups[0].ContentSequence if i.ValueType == "NUM"):
        derivation = item.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning if "ContentSequence" in item else ""
        value = item.MeasuredValueSequence[0]
        numbers[item.ConceptNameCodeSequence[0].CodeMeaning, derivation] = (float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue)
    assert abs(numbers["Volume", ""][0] - 4 * 0.75 * 0.5 * STEP) < 1e-9 and numbers["Volume", ""][1] == "mm3", numbers
    signal = {d: numbers["MR signal intensity", d] for d in ("Mean", "Standard Deviation", "Minimum", "Maximum")}
    assert signal == {"Mean": (190, "1"), "Standard Deviation": (0, "1"), "Minimum": (190, "1"), "Maximum": (190, "1")}, signal
    assert 50 <= numbers["Certainty of Finding", ""][0] <= 100 and numbers["Certainty of Finding", ""][1] == "%", numbers


def check_single_reports(fovea, folder, model):
    """Of single pictures: in mm2 with a spacing and to the segmentation's frame; without one in pixels, and without a segmentation to the picture."""
    slice_file(folder / "spaced.dcm", 0, {(3, 7), (3, 8)})
    slice_file(folder / "bare.dcm", 1, {(3, 7), (3, 8)})
    bare = pydicom.dcmread(str(folder / "bare.dcm"))
    for gone in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"):
        delattr(bare, gone)
    bare.save_as(str(folder / "bare.dcm"))
    for name, write, template, unit, area in (("spaced", ("seg", "sr"), "1410", "mm2", 0.75), ("bare", ("sr",), "1501", "{pixels}", 2), ("bare", ("seg", "sr"), "1410", "{pixels}", 2)):
        out = folder / f"single-{name}-{len(write)}"
        fovea.run("highlight", folder / f"{name}.dcm", "-m", model, "-o", out, "--write", *write)
        file = out / f"{name}.dcm.sr.dcm"
        check_valid(file)
        check_by_dcmjs([file])
        group = pydicom.dcmread(str(file)).ContentSequence[-1].ContentSequence[0]
        assert group.ContentTemplateSequence[0].TemplateIdentifier == template, group
        area_item = next(i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "42798000")
        value = area_item.MeasuredValueSequence[0]
        assert abs(float(value.NumericValue) - area) < 1e-9 and value.MeasurementUnitsCodeSequence[0].CodeValue == unit, value
        if template == "1501":
            assert area_item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == bare.SOPInstanceUID, area_item
        else:
            frame = next(i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121214").ReferencedSOPSequence[0]
            seg = pydicom.dcmread(str(out / f"{name}.dcm.seg.dcm"))
            assert frame.ReferencedSOPInstanceUID == seg.SOPInstanceUID and frame.ReferencedFrameNumber == 1, frame


def check_capture(file):
    check_valid(file)
    capture = pydicom.dcmread(str(file))
    assert capture.PatientName == NAME and capture.StudyInstanceUID == "1.2.826.0.1.47" and capture.Modality == "OT"
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.826.0.1.4711.3", capture.SourceImageSequence
    drawn = numpy.frombuffer(capture.PixelData, numpy.uint8).reshape(capture.Rows, capture.Columns, 3)
    shown = numpy.asarray(Image.open(file.with_suffix(".png")).convert("RGB"))
    assert (drawn == shown).all(), file


def check_segmentation(file, bright):
    check_valid(file)
    seg = pydicom.dcmread(str(file))
    assert seg.PatientName == NAME and seg.PatientID == IDENTITY and seg.StudyInstanceUID == "1.2.826.0.1.47"
    assert seg.SeriesInstanceUID != "1.2.826.0.1.471" and seg.FrameOfReferenceUID == "1.2.826.0.1.4712"
    assert seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "52988006"
    assert "not for diagnosis" in seg.SeriesDescription, seg.SeriesDescription
    refs = seg.ReferencedSeriesSequence[0]
    assert refs.SeriesInstanceUID == "1.2.826.0.1.471" and len(refs.ReferencedInstanceSequence) == 5
    shared = seg.SharedFunctionalGroupsSequence[0]
    spacing = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
    axes = numpy.array([float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient]).reshape(2, 3)
    found = set()
    bits = numpy.unpackbits(numpy.frombuffer(seg.PixelData, numpy.uint8), bitorder="little")
    for index, frame in enumerate(seg.PerFrameFunctionalGroupsSequence):
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        number = int(source.rsplit(".", 1)[1]) - 1
        origin = numpy.array([float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient])
        mask = bits[index * 480:(index + 1) * 480].reshape(20, 24)
        for row, column in zip(*numpy.nonzero(mask)):
            place = origin + axes[0] * column * spacing[1] + axes[1] * row * spacing[0]
            want = numpy.array([-20, 30, 100]) + number * STEP * NORMAL + numpy.array(ORIENTATION[:3]) * column * 0.5 + numpy.array(ORIENTATION[3:]) * row * 0.75
            assert numpy.abs(place - want).max() < 1e-4, (place, want)
            found.add((number, int(row), int(column)))
    assert found == bright, found


def check_study(fovea, folder, model):
    study, out = folder / "study", folder / "out"
    (study / "series").mkdir(parents=True)
    bright = {(2, 3, 7), (2, 3, 8), (3, 3, 8), (4, 19, 23)}
    for number in range(5):
        slice_file(study / "series" / f"IM{(number * 2) % 5}", number, {(r, c) for n, r, c in bright if n == number})
    volume_file(study / "volume.nii.gz")
    picture = numpy.zeros((30, 40), numpy.uint8)
    picture[5:15, 10:30] = 255
    Image.fromarray(picture).save(study / "picture.png")
    (study / "broken.dcm").write_bytes((study / "series" / "IM0").read_bytes()[:600])
    (study / "notes.txt").write_text("no scan")
    (study / "empty.nii.gz").write_bytes(b"")
    done = fovea.run("highlight", study, "-m", model, "-o", out, "--write", "overlay", "mask", "probability", "seg", "sc", "sr", "--report", code=program.QUARANTINED)
    assert "Research use only, not for diagnosis" in done.stdout, done.stdout
    answers = sorted(p.name for p in out.rglob("*.json"))
    series = [a for a in answers if a.startswith("series-")]
    assert len(series) == 1 and "picture.png.json" in answers and "volume.nii.gz.json" in answers, answers
    told = json.loads((out / "series" / series[0]).read_text())
    assert told["classes"][0]["regions"] == 2, told["classes"]
    assert abs(told["classes"][0]["volume_mm3"] - 4 * 0.75 * 0.5 * STEP) < 1e-9, told["classes"]
    page = program.Page(out / "report.html")
    assert "overlay: picture 1 (1 of 5)" in page.text and "overlay: picture 1 (1 of 4)" in page.text, page.text
    assert (out / "report.html").stat().st_size < 100000
    captures = sorted((out / "series" / series[0].replace(".json", ".overlays")).glob("*.dcm"))
    assert len(captures) == 5, captures
    check_capture(captures[2])
    check_segmentation(out / "series" / series[0].replace(".json", ".seg.dcm"), bright)
    check_report(out / "series" / series[0].replace(".json", ".sr.dcm"), out / "series" / series[0].replace(".json", ".seg.dcm"))
    check_by_dcmjs(list(out.rglob("*.dcm")))
    region = json.loads((out / "volume.nii.gz.json").read_text())["pictures"][2]["classes"][0]["regions"][0]
    assert numpy.allclose(region["centre_in_patient_mm"], [-(1 + 4 * 0.5), -(2 + 3 * 0.25), 3 + 2 * 2]), region
    assert json.loads((out / "picture.png.json").read_text())["classes"][0]["pixels"] == 200
    reasons = {json.loads(line)["input"].rsplit("/", 1)[-1]: json.loads(line).get("reason", "") for line in (out / "fovea-ledger.jsonl").read_text().splitlines() if '"reason"' in line}
    assert "truncated" in reasons["broken.dcm"] or "missing" in reasons["broken.dcm"], reasons
    assert set(reasons) == {"broken.dcm", "empty.nii.gz"}, reasons
    rows = (out / "regions.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 + 1 + 1, rows
    for file in out.rglob("*"):
        if file.is_file() and file.suffix != ".dcm":
            text = file.read_bytes()
            if file.suffix == ".gz":
                text = gzip.decompress(text)
            for secret in (NAME, "Jane", IDENTITY, BORN, "Who^Doctor"):
                assert secret.encode() not in text, f"{file} tells {secret}"
    for secret in (NAME, IDENTITY, BORN):
        assert secret not in done.stdout + done.stderr, done
    again = fovea.run("highlight", study, "-m", model, "-o", out, "--write", "overlay", "mask", "probability", "seg", "sc", "sr", "--report", code=program.QUARANTINED)
    assert "up to date" in again.stdout, again.stdout


def main():
    fovea = program.Program(sys.argv[1])
    with program.scratch("highlight") as folder:
        model = make_model(fovea, folder)
        check_study(fovea, folder, model)
        check_single_reports(fovea, folder, model)


if __name__ == "__main__":
    main()
