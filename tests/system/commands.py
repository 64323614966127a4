#!/usr/bin/python3
"""The command as a whole: its help, its version, wrong calls of every part of it.

usage: commands.py FOVEA
"""
import re

import program

COMMANDS = ["classify", "describe", "eval", "explain", "export", "import", "list", "plan", "study", "train", "upscale"]


def test(fovea):
    whole = fovea.said("--help")
    listed = re.findall(r"^  ([a-z]+)  ", whole, re.M)
    assert set(COMMANDS) <= set(listed), listed
    assert re.fullmatch(r"fovea \d+\.\d+\.\d+\nreads PNG, JPEG, TIFF, BMP, WebP.*\n(built without .*\n)?", fovea.said("--version"))
    for command in listed:
        text = fovea.said(command, "--help")
        assert "Usage:" in text and "--help" in text, text
        if command != "camera":  # which looks for one; every other command needs something
            fovea.refuses("Run with --help", command)
        fovea.refuses("Run with --help", command, "--no-such-option")
    fovea.refuses("subcommand")
    fovea.refuses("subcommand", "enlarge")
    return f"{len(listed)} commands"


program.main(test)
