#!/usr/bin/python3
"""`fovea highlight --deidentify` over a study whose files and folders are called after its patients: nothing that is written or told names anybody, what belongs
together stays together, a run that was killed goes on with the same names, and the key file alone tells whose the results are.

usage: deidentify.py FOVEA
"""
import gzip
import json
import os
import signal
import stat
import subprocess
import sys

import highlight
import program

import numpy
import pydicom
from PIL import Image

WRITE = ["--write", "overlay", "mask", "probability", "nifti", "seg", "sc", "sr"]
UIDS = "1.2.826.0.1.47"
# What of the inputs must not be found again: of patients and studies, of files and folders.
SECRETS = [highlight.NAME, "Jane", "Doe", highlight.IDENTITY, highlight.BORN, "20240229", "2024-02-29", "101500", "Who^Doctor", "Doctor", UIDS,
           "SECRET", "Hospital", "janedoe", "jane_doe", "IMDOE", "visit7788", "accession-A1"]


def single(file, modality, sop_class, instance, burned_in=None, name=highlight.NAME, identity=highlight.IDENTITY):
    """One more file of the study, of a kind that may have text burned in."""
    highlight.slice_file(file, 0, {(3, 7)})
    d = pydicom.dcmread(str(file))
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = sop_class
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"{UIDS}11.{instance}"
    d.SeriesInstanceUID, d.Modality, d.PatientName, d.PatientID = f"{UIDS}1.{instance}", modality, name, identity
    d.InstitutionName, d.StudyDescription, d.PatientComments = "Hospital", "Jane Doe's study", "SECRET comment"
    if burned_in:
        d.BurnedInAnnotation = burned_in
    d.save_as(str(file))


def make_study(folder):
    study = folder / "Doe_Jane" / "visit7788 2024-02-29"
    (study / "janedoe series").mkdir(parents=True)
    for number in range(5):
        highlight.slice_file(study / "janedoe series" / f"IMDOE{number}", number, {(3, 7)} if number in (2, 3) else set())
    single(study / "IMDOE_us", "US", "1.2.840.10008.5.1.4.1.1.6.1", 1)
    single(study / "IMDOE_yes", "MR", "1.2.840.10008.5.1.4.1.1.4", 2, burned_in="YES")
    single(study / "IMDOE_no", "OT", "1.2.840.10008.5.1.4.1.1.7", 3, burned_in="NO")
    single(study / "IMDOE_other", "MR", "1.2.840.10008.5.1.4.1.1.4", 4, name="Roe^Richard", identity="SECRET-4712")
    (study / "jane_doe_broken.dcm").write_bytes((study / "IMDOE_us").read_bytes()[:700])
    volume = numpy.full((4, 5, 6), 10, numpy.float32)
    volume[2, 3, 4] = 190
    data = bytearray(gzip.decompress(program.nifti((6, 5, 4), volume.tobytes())))
    data[148:148 + 15] = b"Jane Doe SECRET"  # descrip
    data[228:228 + 13] = b"SECRET.aux.ni"  # aux_file
    (study / "jane_doe.nii.gz").write_bytes(gzip.compress(bytes(data)))
    Image.fromarray(numpy.full((30, 40), 200, numpy.uint8)).save(study / "jane_doe.png")
    (study / "jane_doe.psd").write_bytes(b"8BPS")
    (study / "jane_doe_empty.png").write_bytes(b"")
    return folder / "Doe_Jane"


def contents(file):
    data = file.read_bytes()
    return gzip.decompress(data) if file.suffix == ".gz" else data


def check_nameless(out, told):
    """Neither in what was written nor in its names nor in what was told."""
    for file in out.rglob("*"):
        path, data = str(file.relative_to(out)), contents(file) if file.is_file() else b""
        for secret in SECRETS:
            assert secret not in path, f"{path} tells {secret}"
            assert secret.encode() not in data, f"{path} holds {secret}"
        for stamp in times_of_inputs:
            assert str(stamp).encode() not in data, f"{path} holds the time of an input"
    for secret in SECRETS:
        for line in told.splitlines():
            assert secret not in line, line


def check_dicom(out):
    """Valid by dciodvfy, of the profile, and of one patient and study as their sources were."""
    objects = {file: pydicom.dcmread(str(file)) for file in out.rglob("*.dcm")}
    assert {o.SOPClassUID.name for o in objects.values()} == {"Segmentation Storage", "Secondary Capture Image Storage", "Comprehensive SR Storage"}, objects
    for file, o in objects.items():
        highlight.check_valid(file)
        assert o.PatientIdentityRemoved == "YES" and o.LongitudinalTemporalInformationModified == "REMOVED", file
        code = o.DeidentificationMethodCodeSequence[0]
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM"), code
        assert str(o.PatientName) == o.PatientID and o.PatientID.startswith("patient-"), o.PatientID
        for empty in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
            assert o[empty].value in ("", None), (file, empty)
        for gone in ("SeriesDate", "SeriesTime", "InstanceCreationDate", "DateOfSecondaryCapture", "StudyDescription", "InstitutionName", "PatientComments"):
            assert gone not in o, (file, gone)
        dates = {str(e.value) for e in o.iterall() if e.VR in ("DA", "DT") and e.value}
        assert dates <= {"19000101"}, (file, dates)
        assert all(e.value.startswith(("2.25.", "1.2.840.10008.", "1.2.276.0.7230010.3.")) for e in o.iterall() if e.VR == "UI" and e.VM == 1), file
    highlight.check_by_dcmjs(list(objects))
    assert len({o.StudyInstanceUID for o in objects.values()}) == 1
    assert len({o.PatientID for o in objects.values()}) == 2
    spaces = {o.FrameOfReferenceUID for o in objects.values() if "FrameOfReferenceUID" in o}
    assert len(spaces) == 1, spaces
    return objects


def check_references(out, objects, key):
    """The report's segment is the segmentation's, both name the same sources; a series has one identifier everywhere."""
    series = key[next(n for n in key if "/series-" in n)]
    seg, sr = (objects[out / f"{series}.{what}.dcm"] for what in ("seg", "sr"))
    group = sr.ContentSequence[-1].ContentSequence[0]
    assert group.ContentTemplateSequence[0].TemplateIdentifier == "1411", group
    segment = next(i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121191").ReferencedSOPSequence[0]
    assert segment.ReferencedSOPInstanceUID == seg.SOPInstanceUID and segment.ReferencedSegmentNumber == 1, segment
    sources = {i.ReferencedSOPInstanceUID for i in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    evidence = {i.ReferencedSOPInstanceUID for s in sr.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence for i in s.ReferencedSOPSequence}
    assert len(sources) == 5 and evidence == sources | {seg.SOPInstanceUID}, (sources, evidence)
    captured = {objects[f].SourceImageSequence[0].ReferencedSOPInstanceUID for f in (out / f"{series}.overlays").glob("*.dcm")}
    assert captured == sources, captured
    origin = next(i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121232")
    assert origin.UID == seg.ReferencedSeriesSequence[0].SeriesInstanceUID, origin


def check_burned_in(out, key, done):
    withheld = {name for name in ("IMDOE_us", "IMDOE_yes")}
    for name in ("IMDOE_us", "IMDOE_yes", "IMDOE_no", "IMDOE_other"):
        alias = key[next(n for n in key if n.endswith("/" + name))]
        answer = json.loads((out / f"{alias}.json").read_text())
        assert answer["file"] == alias and answer["pictures"][0]["file"] == alias, answer
        assert (out / f"{alias}.bright.mask.png").exists() and (out / f"{alias}.seg.dcm").exists() and (out / f"{alias}.sr.dcm").exists()
        for shown in (".overlay.png", ".overlay.dcm"):
            assert (out / f"{alias}{shown}").exists() != (name in withheld), (name, shown)
        assert ("withheld" in answer) == (name in withheld), answer
        if name in withheld:
            assert answer["withheld"]["outputs"] == ["overlay", "sc"] and "Burned In Annotation" in answer["withheld"]["reason"], answer
            record = next(r for r in program.events((out / "fovea-ledger.jsonl").read_text()) if r.get("input") == alias)
            assert any(n.startswith("withheld: overlay, sc") and "--allow-burned-in" in n for n in record["notes"]), record
        else:
            assert pydicom.dcmread(str(out / f"{alias}.overlay.dcm")).BurnedInAnnotation == "NO"
    assert "2 without overlays" in done.stdout and "--allow-burned-in" in done.stdout, done.stdout


def check_niftis(out):
    volumes = list(out.rglob("*.nii.gz"))
    assert volumes
    for file in volumes:
        head = contents(file)[:348]
        assert not head[148:252].strip(b"\0"), (file, head[148:252])  # descrip, aux_file
        assert not head[4:32].strip(b"\0") and not head[328:344].strip(b"\0"), file  # data_type, db_name, intent_name


def read_key(file):
    """Path -> alias."""
    lines = program.events(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, oct(file.stat().st_mode)
    assert len(lines[0]["secret"]) == 64, lines[0]
    return {line["name"]: line["id"] for line in lines[1:]}


def tree(out):
    return {str(f.relative_to(out)): contents(f) for f in out.rglob("*") if f.is_file() and f.name not in ("fovea-ledger.jsonl", "report.html")}


def ledger(out):
    records = [json.loads(line) for line in (out / "fovea-ledger.jsonl").read_text().splitlines()]
    return sorted(json.dumps({k: v for k, v in r.items() if k != "seconds"}, sort_keys=True) for r in records)


def check_killed(fovea, arguments, folder, key, calm):
    """Killed in the middle, by -9, twice; what it ends with is what an undisturbed run of the same key wrote."""
    out = folder / "killed"
    command = [fovea.file, *map(str, arguments), "-o", str(out), "--key-file", str(key), "--json", "-j", "1:1:1"]
    for finished in (1, 3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            finished -= json.loads(line)["event"] == "done"
            if finished == 0:
                break
        assert process.poll() is None, "the run ended before it was killed"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    done = fovea.run(*arguments, "-o", out, "--key-file", key, code=program.QUARANTINED)
    assert "up to date" in done.stdout, done.stdout
    assert tree(out) == tree(calm) and ledger(out) == ledger(calm), "a killed run went on with other names or contents"


def check_refusals(fovea, arguments, folder, study, model):
    key = folder / "damaged.jsonl"
    fovea.run(*arguments, "-o", folder / "short", "--key-file", key, code=program.QUARANTINED)
    whole = key.read_text()
    for text in ("", whole[:40], whole.replace("/IMDOE_us", "/IMDOE_uz", 1), whole.replace('"secret":"', '"secret":"0', 1), "rubbish\n"):
        key.write_text(text)
        done = fovea.run(*arguments, "-o", folder / "short", "--key-file", key, code=program.USAGE)
        assert "the key file is damaged" in done.stderr and "Jane" not in done.stderr.replace(str(folder), ""), done.stderr
        assert key.read_text() == text
    os.symlink(folder / "short", folder / "link")
    for inside in ("short/key.jsonl", "link/key.jsonl", "short/../short/a/key.jsonl"):
        fovea.refuses("would lie in the folder for the results", *arguments, "-o", folder / "short", "--key-file", folder / inside)
    plain = ("highlight", study, "-m", model, "-o", folder / "plain")
    fovea.refuses("only with --deidentify", *plain, "--key-file", key)
    fovea.refuses("without --deidentify", *plain, "--allow-burned-in")
    fovea.run(*plain, code=program.QUARANTINED)
    done = fovea.run(*arguments, "-o", folder / "plain", code=program.USAGE)
    assert "choose another folder" in done.stderr, done.stderr


def main():
    global times_of_inputs
    fovea = program.Program(sys.argv[1])
    with program.scratch("anonymous") as folder:
        model, study = highlight.make_model(fovea, folder), make_study(folder)
        times_of_inputs = [f.stat().st_mtime_ns for f in study.rglob("*") if f.is_file()]
        arguments = ("highlight", study, "-m", model, "--deidentify", *WRITE)
        out = folder / "out"
        done = fovea.run(*arguments, "-o", out, "--report", code=program.QUARANTINED)
        key = read_key(folder / "out.key.jsonl")
        check_nameless(out, done.stdout + done.stderr)
        check_references(out, check_dicom(out), key)
        check_burned_in(out, key, done)
        check_niftis(out)
        assert set(f.name.split(".")[0] for f in out.iterdir()) - {"fovea-ledger", "regions", "report"} <= set(key.values())
        assert len([n for n in key if "/IMDOE" in n]) == 9 and any(n.endswith("/jane_doe.psd") for n in key), key
        again = fovea.run(*arguments, "-o", out, "--report", "--json", code=program.QUARANTINED)
        assert program.summary(again.stdout)["done"] == 0 and program.summary(again.stdout)["withheld"] == 2, again.stdout
        check_nameless(out, again.stdout + again.stderr)
        shown = fovea.run(*arguments, "-o", folder / "shown", "--allow-burned-in", code=program.QUARANTINED)
        check_nameless(folder / "shown", shown.stdout + shown.stderr)
        captures = [pydicom.dcmread(str(f)) for f in (folder / "shown").glob("*.overlay.dcm")]
        assert sorted(c.get("BurnedInAnnotation", "unsaid") for c in captures) == ["NO", "NO", "YES", "unsaid"], captures
        check_killed(fovea, arguments, folder, folder / "out.key.jsonl", out)
        check_refusals(fovea, arguments, folder, study, model)


if __name__ == "__main__":
    main()
