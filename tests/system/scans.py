#!/usr/bin/python3
"""`fovea data info` on scans that are written here byte by byte: what it tells, that it names nobody, and what it refuses.

usage: scans.py FOVEA
"""
import json
import re
import struct
import sys

import program

NAME, IDENTITY, BORN = "Doe^Jane", "SECRET-4711", "19700131"


def element(group, number, vr, value):
    """Explicit VR, little endian."""
    data = value if isinstance(value, bytes) else str(value).encode()
    if len(data) % 2:
        data += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH", group, number) + vr.encode()
    return head + (struct.pack("<HI", 0, len(data)) if vr in ("OB", "OW", "SQ", "UN") else struct.pack("<H", len(data))) + data


def u16(value):
    return struct.pack("<H", value)


def dicom(z, rows=4, columns=6, extra=b"", pixels=None):
    meta = element(2, 0x10, "UI", "1.2.840.10008.1.2.1")
    preamble = bytes(128) + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta
    body = element(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2") + element(8, 0x20, "DA", "20240229") + element(8, 0x60, "CS", "CT")
    body += element(0x10, 0x10, "PN", NAME) + element(0x10, 0x20, "LO", IDENTITY) + element(0x10, 0x30, "DA", BORN)
    body += element(0x18, 0x15, "CS", "CHEST") + element(0x20, 0xE, "UI", "1.2.3.4711") + element(0x20, 0x13, "IS", int(90 - z))
    body += element(0x20, 0x32, "DS", f"-10\\-20\\{z}") + element(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0")
    body += element(0x28, 2, "US", u16(1)) + element(0x28, 4, "CS", "MONOCHROME2")
    body += element(0x28, 0x10, "US", u16(rows)) + element(0x28, 0x11, "US", u16(columns)) + element(0x28, 0x30, "DS", "0.5\\0.25")
    body += b"".join(element(0x28, n, "US", u16(v)) for n, v in ((0x100, 16), (0x101, 12), (0x102, 11), (0x103, 0)))
    body += element(0x28, 0x1050, "DS", "40") + element(0x28, 0x1051, "DS", "400")
    body += element(0x28, 0x1052, "DS", "-1024") + element(0x28, 0x1053, "DS", "1") + extra
    words = struct.pack(f"<{rows * columns}H", *range(rows * columns)) if pixels is None else pixels
    return preamble + body + element(0x7FE0, 0x10, "OW", words)


def check_folder(fovea, folder):
    study = folder / "study"
    (study / "inner").mkdir(parents=True)
    for number, z in enumerate((5, 0, 10)):
        (study / "inner" / f"{number}").write_bytes(dicom(z))
    (study / "notes.txt").write_text("no scan")
    (study / "cut.dcm").write_bytes(dicom(0)[:-20])
    done = fovea.run("data", "info", study, "--json", folder / "out.json", code=program.QUARANTINED)
    told = done.stdout + done.stderr + (folder / "out.json").read_text()
    for secret in (NAME, "Jane", IDENTITY, BORN, "20240229", "1.2.3.4711"):
        assert secret not in told, f"{secret} is told:\n{told}"
    assert "volume of 3 slices of 6x4, 5 mm apart" in done.stdout, done.stdout
    assert "-1024 to -1001 HU" in done.stdout and "0.5 x 0.25 mm" in done.stdout and "400:40" in done.stdout, done.stdout
    record = json.loads((folder / "out.json").read_text())
    assert [s["file"].rsplit("/", 1)[1] for s in record["volumes"][0]["slices"]] == ["1", "0", "2"], record["volumes"]
    reasons = {r["file"].rsplit("/", 1)[1]: r["reason"] for r in record["refused"]}
    assert "truncated" in reasons["cut.dcm"] and "expected a scan" in reasons["notes.txt"], reasons
    frame = next(s for s in record["scans"] if s["file"].endswith("/1"))["frame"][0]
    assert frame["position"] == [-10, -20, 0] and frame["spacing"] == {"rows": 0.5, "columns": 0.25, "at_detector": False}, frame
    shown = fovea.said("data", "info", study / "inner" / "0", "--show-patient")
    assert NAME in shown and IDENTITY in shown and BORN in shown, shown


def check_text_is_only_text(fovea, folder):
    """Escapes in attributes and names reach no terminal."""
    nasty = element(0x18, 0x5101, "CS", "\x1b[31mPA")
    (folder / "a\x1b[2J.dcm").write_bytes(dicom(0, extra=b"").replace(element(0x18, 0x15, "CS", "CHEST"), element(0x18, 0x15, "CS", "CHEST") + nasty))
    done = fovea.run("data", "info", folder / "a\x1b[2J.dcm")
    assert "\x1b" not in done.stdout + done.stderr, done


def check_cut_anywhere(fovea, folder):
    whole = dicom(0)
    for number in range(10):
        (folder / "cut.dcm").write_bytes(whole[: len(whole) * number // 10])
        done = fovea.run("data", "info", folder / "cut.dcm", code=program.QUARANTINED)
        assert re.search(r"truncated|missing|expected a scan|expected a picture", done.stderr), done.stderr


def check_nifti(fovea, folder):
    (folder / "a.nii.gz").write_bytes(program.nifti((5, 4, 3), struct.pack("<60f", *range(60))))
    said = fovea.said("data", "info", folder / "a.nii.gz")
    assert "NIfTI-1" in said and "5x4, 3 frames" in said and "0.25 x 0.5 mm" in said, said
    assert "-1, -2, 3 mm; columns run along -1, 0, 0, rows along 0, -1, 0" in said.replace("-0,", "0,"), said
    assert "volume of 3 slices of 5x4, 2 mm apart" in said, said


def main():
    fovea = program.Program(sys.argv[1])
    with program.scratch("scans") as folder:
        check_folder(fovea, folder)
        check_text_is_only_text(fovea, folder)
        check_cut_anywhere(fovea, folder)
        check_nifti(fovea, folder)


if __name__ == "__main__":
    main()
