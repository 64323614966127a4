#!/usr/bin/python3
"""However little memory the system gives, a run ends with an exit code and, where it is not 0, a reason: never by a signal.

usage: memory.py FOVEA
"""
import os
import resource
import shutil
import signal
import subprocess

import program

UNUSED_BY_LOADER = 127  # the dynamic loader could not even map the libraries


def run(fovea, limit, *arguments):
    """Exit code and standard error under a limit on the address space."""
    def restrict():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    done = subprocess.run([fovea.file, *map(str, arguments)], preexec_fn=restrict, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stderr


def needed(fovea, *arguments):
    """Bytes of address space with which it works, rounded up."""
    for megabytes in range(256, 8192, 128):
        code, told = run(fovea, megabytes << 20, *arguments)
        if "Sanitizer" in told:
            program.skip("sanitizers reserve terabytes of addresses")
        if code == 0:
            return megabytes << 20
    raise AssertionError("does not work in 8 GiB")


def sweep(fovea, folder, name, *arguments):
    out = folder / name
    most = needed(fovea, *arguments, "-o", out)
    least = most // 3
    codes = {}
    steps = int(os.environ.get("FOVEA_MEMORY_STEPS", "25"))
    for step in range(steps):
        shutil.rmtree(out, ignore_errors=True)
        limit = least + (most - least) * step // steps
        code, told = run(fovea, limit, *arguments, "-o", out)
        if code == UNUSED_BY_LOADER:
            continue
        assert code >= 0, f"{name}: {limit >> 10} KiB: ended by {signal.Signals(-code).name}\n{told}"
        assert code == 0 or told.strip() or (out / "fovea-ledger.jsonl").exists(), f"{name}: {limit >> 10} KiB: {code} without a reason"
        codes[code] = codes.get(code, 0) + 1
    assert sum(codes.values()) > steps // 3, f"{name}: too few limits were of use: {codes}"
    return f"{name}: exit codes {codes}"


def test(fovea):
    with program.scratch("memory") as folder:
        photo = folder / "a.png"
        photo.write_bytes(program.noisy_png(120, 90, 1))
        return "; ".join([sweep(fovea, folder, "upscale", "upscale", photo, "--model", "upscale-x2", "--threads", 2),
                          sweep(fovea, folder, "classify", "classify", photo, "--model", "photo-cbam", "--threads", 2)])


program.main(test)
