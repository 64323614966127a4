#!/usr/bin/python3
"""A machine that fails for a while: calls that fail on command (faults.cpp), outputs that cannot be written, readers that went away. Nothing is
blamed on a picture, and nothing ends without a word.

usage: faults.py FOVEA MAKE_MODEL FAULTS
"""
import errno
import os
import subprocess

import program
from program import DONE, QUARANTINED, TRY_AGAIN, USAGE, grey_png, ledger, summary

NAMES = ["a.png", "b.png", "c.png"]


def fill(folder):
    folder.mkdir()
    for i, name in enumerate(NAMES):
        (folder / name).write_bytes(grey_png(0, 90, i, 40 + 8 * i, 36))
    return folder


class Failing(program.Program):
    """The program on a machine where calls fail: faults("read", errno.EIO, 0, "b.png")."""

    def __init__(self, fovea, library):
        super().__init__(fovea.file)
        self.library = str(library)

    def said_with(self, faults, *arguments, code):
        rules = ",".join(f"{call}:{error}:{times}:{part}" for call, error, times, part in faults)
        env = dict(os.environ, LD_PRELOAD=self.library, FOVEA_FAULTS=rules)
        command = [self.file, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert done.returncode == code, f"{rules}: {command}\nexit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
        return done


def passing(fovea, failing, folder, model):
    """What fails once is tried again at once; what goes on failing is left for next time, with a reason; the others are done."""
    given = folder / "given"
    cases = [("read", errno.EIO, "b.png", "the disk or the network reported an error"),
             ("open", errno.EMFILE, "b.png", "too many files are open"),
             ("open", errno.ESTALE, "b.png", "the network file system lost the file"),
             ("read", errno.ENOMEM, "b.png", "not enough memory"),
             ("stat", errno.EIO, "b.png", "")]
    for number, (call, error, part, reason) in enumerate(cases):
        out = folder / f"passing-{number}"
        command = ["upscale", *(given / n for n in NAMES), "-o", out, "--model", model, "--json"]
        last = failing.said_with([(call, error, 0, part)], *command, code=TRY_AGAIN)
        told = summary(last.stdout)
        assert (told["done"], told["quarantined"], told["left"]) == (2, 0, 1), (call, told)
        assert "b.png" in told["stopped"] and reason in told["stopped"], told
        assert "b.png" not in ledger(out), ledger(out)
        assert summary(fovea.said(*command))["done"] == 1
        once = summary(failing.said_with([(call, error, 2, part)], *command[:4], "-o", folder / f"once-{number}", *command[6:],
                                         code=DONE).stdout)
        assert once["done"] == 3, once
    closed = failing.said_with([("opendir", errno.EIO, 0, "given")], "upscale", given, "-o", folder / "closed", "--model", model,
                               "--json", code=TRY_AGAIN)
    assert "cannot read the folder" in summary(closed.stdout)["stopped"], closed.stdout
    # On standard output the answer stands in its place all the same; without one the code says so.
    plain = ["classify", *(given / n for n in NAMES), "--model", "photo-cbam", "--no-tune"]
    order = failing.said_with([("read", errno.EIO, 3, "b.png")], *plain, code=DONE).stdout
    assert order == fovea.said(*plain), order
    left = failing.said_with([("read", errno.EIO, 0, "b.png")], *plain, code=TRY_AGAIN)
    assert "b.png: left for next time: " in left.stderr and "c.png" in left.stdout, left.stderr
    # An evaluation on other pictures than were asked for would be another one.
    measured = failing.said_with([("read", errno.EIO, 0, "b.png")], "eval", model, "--data", given, code=TRY_AGAIN)
    assert "b.png: cannot read" in measured.stderr and "mean" not in measured.stdout, measured


    # The model's file is a file, too: no wrong usage.
    for command in (["upscale", given, "-o", folder / "never", "--model", model], ["predict", given, "-o", folder / "never", "--model", model],
                    ["eval", model, "--data", given], ["describe", model]):
        asked = failing.said_with([("open", errno.EMFILE, 0, model.name)], *command, code=TRY_AGAIN)
        assert "too many files are open" in asked.stderr and not asked.stdout, asked


def memory(fovea, failing, folder, model):
    """Blocks of 1,000,000 bytes and more are refused: twice, which a second try survives, and always."""
    big = folder / "big"
    big.mkdir()
    (big / "b.png").write_bytes(program.png_of(520, 500, lambda x, y: (x & 255, y & 255, 7)))
    (big / "a.png").write_bytes(grey_png(0, 90, 1))
    command = ["upscale", big, "--model", model, "--json", "--tile", 0]
    told = summary(failing.said_with([("aligned_alloc", errno.ENOMEM, 2, 1000000)], *command, "-o", folder / "little", code=DONE).stdout)
    assert told["done"] == 2, told
    told = summary(failing.said_with([("aligned_alloc", errno.ENOMEM, 0, 1000000)], *command, "-o", folder / "less", code=TRY_AGAIN).stdout)
    assert (told["done"], told["left"], told["quarantined"]) == (1, 1, 0) and "the system refused" in told["stopped"], told
    assert summary(fovea.said(*command, "-o", folder / "less"))["done"] == 1


def locks(failing, folder, model):
    """A file system without locks or syncs: a word, and on with it. A lock that another run holds is still one."""
    for call, error, text in (("flock", errno.ENOSYS, "no locks"), ("flock", errno.ENOLCK, "no locks"),
                              ("flock", errno.EOPNOTSUPP, "no locks"), ("fsync", errno.ENOSYS, "cannot sync"),
                              ("fsync", errno.EOPNOTSUPP, "cannot sync")):
        out = folder / f"{call}-{error}"
        done = failing.said_with([(call, error, 0, f"{call}-{error}")], "upscale", folder / "given", "-o", out, "--model", model, code=DONE)
        assert text in done.stderr and all((out / n).is_file() for n in NAMES), done.stderr
    busy = failing.said_with([("flock", errno.EWOULDBLOCK, 0, "busy")], "upscale", folder / "given", "-o", folder / "busy", "--model", model,
                             code=TRY_AGAIN)
    assert "another run is writing" in busy.stderr, busy.stderr
    recipe = folder / "lockless.yaml"
    recipe.write_text("fovea: 1\nmodel: {head: {type: a2n_light, scale: 2, width: 8, blocks: 1}}\n"
                      f"train: {{task: upscale, data: {folder / 'given'}, patch: 8, batch: 1, steps: 1, threads: 1}}\n")
    trained = failing.said_with([("flock", errno.ENOLCK, 0, "lockless")], "train", recipe, "-o", folder / "lockless", code=DONE)
    assert "no locks" in trained.stderr, trained.stderr


def shell(line, *arguments):
    return subprocess.run(["sh", "-c", line, "sh", *map(str, arguments)], capture_output=True, text=True)


def streams(fovea, folder, model):
    given, f = folder / "given", fovea.file
    commands = [["list", "attention"], ["describe", model], ["list", "--help"],
                ["classify", given / "a.png", "--model", "photo-cbam", "--no-tune"],
                ["upscale", given, "-o", folder / "full", "--model", model],
                ["eval", "pictures", given, given], ["eval", model, "--data", given]]
    for command in commands:
        for redirection in (">/dev/full", ">&-"):
            done = shell(f'"$@" {redirection}', f, *command)
            assert done.returncode == TRY_AGAIN and "standard output cannot be written" in done.stderr, (command, redirection, done)
        gone = shell('{ "$@"; echo $? >&2; } | true', f, *command)  # may be quick enough to be read
        said = [line for line in gone.stderr.splitlines() if ": weights under " not in line]  # the terms of the model
        assert said in (["0"], ["141"]), (command, gone)
    gone = shell('{ sleep 0.3; "$@"; echo $? >&2; } | true', f, "list", "attention")
    assert gone.stderr == "141\n" and not gone.stdout, gone  # as other tools end there
    assert all((folder / "full" / n).is_file() for n in NAMES)
    # Standard error never ends a run, and its text goes nowhere else.
    bad = folder / "bad"
    bad.mkdir()
    program.unreadable(bad)
    for name in NAMES:
        (bad / name).write_bytes((given / name).read_bytes())
    for number, redirection in enumerate(("2>&-", "2>/dev/full", "2>&- <&-")):
        out = folder / f"silent-{number}"
        done = shell(f'"$@" {redirection}', f, "upscale", bad, "-o", out, "--model", model)
        assert done.returncode == QUARANTINED and "3 images upscaled" in done.stdout, (redirection, done)
        assert all((out / n).read_bytes() == (folder / "full" / n).read_bytes() for n in NAMES), redirection
        assert len(ledger(out)) == 6, ledger(out)
    shell('{ sleep 0.3; "$@"; } 2>&1 >/dev/null | true', f, "upscale", bad, "-o", folder / "piped", "--model", model)
    assert len(ledger(folder / "piped")) == 6 and all((folder / "piped" / n).is_file() for n in NAMES)
    # What would be written at the end is known to be possible before.
    for evaluation in (["eval", model, "--data", given], ["eval", "pictures", given, given]):
        fovea.refuses("there is no folder", *evaluation, "--json", folder / "nodir" / "x.json", code=USAGE)
        fovea.refuses("this is a folder", *evaluation, "--json", given, code=USAGE)
    nowhere = folder / "nodir" / "x.svg"
    fovea.refuses("there is no folder", "eval", "photo-cbam", "--data", given, "--confusion", nowhere, code=USAGE)
    fovea.refuses("there is no folder", "plan", model, "--trace", nowhere, code=USAGE)


def test(fovea, make_model, library):
    with program.scratch("faults") as folder:
        model, failing = folder / "x2.safetensors", Failing(fovea, library)
        program.Program(make_model).run(model, 2)
        fill(folder / "given")
        passing(fovea, failing, folder, model)
        memory(fovea, failing, folder, model)
        locks(failing, folder, model)
        streams(fovea, folder, model)
    return "nothing was lost, nothing was blamed"


program.main(test)
