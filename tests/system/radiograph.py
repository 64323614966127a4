#!/usr/bin/python3
"""The model `chest` on DICOM: X-rays saved as Digital X-Ray images give the masks that the same pixels give as PNG, whichever way their grey is stored; lengths at the
detector are marked; a hand and an ultrasound are refused by name.

usage: radiograph.py FOVEA DATA      DATA holds cxr
"""
import json
import pathlib
import sys

import program

try:
    import numpy
    from pydicom.dataset import FileDataset, FileMetaDataset
    from PIL import Image
except ImportError as missing:
    program.skip(str(missing))

NAMES = ("000", "001", "005")
DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"


def save_dx(file, pixels, number, **changed):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DIGITAL_X_RAY, f"1.2.826.0.1.815.{number}"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    d = FileDataset(str(file), {}, file_meta=meta, preamble=bytes(128))
    d.is_little_endian, d.is_implicit_VR = True, False
    d.SOPClassUID, d.SOPInstanceUID = DIGITAL_X_RAY, meta.MediaStorageSOPInstanceUID
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Roe^Richard", "R-815", "", "M"
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.2.826.0.1.8", f"1.2.826.0.1.81.{number}"
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "", "", "", "", ""
    d.Modality, d.BodyPartExamined, d.ViewPosition, d.SeriesNumber, d.InstanceNumber = "DX", "CHEST", "PA", 1, 1
    d.ImagerPixelSpacing = [1.4, 1.4]
    d.Rows, d.Columns = pixels.shape
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    stored = pixels.astype(numpy.uint16) * 16
    for key, value in changed.items():
        setattr(d, key, value)
    if d.PhotometricInterpretation == "MONOCHROME1":
        stored = 4080 - stored
    d.PixelData = stored.tobytes()
    d.save_as(str(file), write_like_original=False)


def main():
    fovea, data = program.Program(sys.argv[1]), pathlib.Path(sys.argv[2]) / "cxr" / "images"
    if not data.is_dir():
        program.skip(f"{data} is not there")
    with program.scratch("radiograph") as folder:
        study, out = folder / "study", folder / "out"
        study.mkdir()
        for number, name in enumerate(NAMES):
            pixels = numpy.asarray(Image.open(data / f"{name}.png").convert("L"))
            Image.fromarray(pixels).save(study / f"{name}.png")
            save_dx(study / f"{name}.dcm", pixels, number)
            save_dx(study / f"{name}-inverted.dcm", pixels, 10 + number, PhotometricInterpretation="MONOCHROME1")
        save_dx(study / "hand.dcm", pixels, 20, BodyPartExamined="HAND")
        save_dx(study / "ultrasound.dcm", pixels, 21, Modality="US")
        fovea.run("highlight", study, "--model", "chest", "-o", out, "--apart", "--write", "mask", "overlay", code=program.QUARANTINED)
        for name in NAMES:
            for organ in ("lungs", "heart"):
                masks = [numpy.asarray(Image.open(out / f"{name}{kind}.{organ}.mask.png")) > 0 for kind in (".png", ".dcm", "-inverted.dcm")]
                assert masks[0].any(), f"{name}: no {organ}"
                # The same values but for rounding at the 1st and 99th percentile.
                for other in masks[1:]:
                    assert (masks[0] != other).sum() <= 0.005 * masks[0].sum(), f"{name} {organ}: {(masks[0] != other).sum()} of {masks[0].sum()} pixels differ"
            told = json.loads((out / f"{name}.dcm.json").read_text())
            assert "detector" in json.dumps(told), told
        reasons = {line["input"]: line["reason"] for line in map(json.loads, (out / "fovea-ledger.jsonl").read_text().splitlines()) if "reason" in line}
        said = {pathlib.Path(file).name: reason for file, reason in reasons.items()}
        assert set(said) == {"hand.dcm", "ultrasound.dcm"}, said
        assert "no model for the body part HAND" in said["hand.dcm"] and "no model for the modality US" in said["ultrasound.dcm"], said


if __name__ == "__main__":
    main()
