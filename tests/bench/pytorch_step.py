#!/usr/bin/python3
"""Runs torch_train_bench.py with denormals as zero, as Fovea has them, and says which PyTorch it is: "... MS VERSION".

usage: pytorch_step.py TORCH_TRAIN_BENCH THREADS MODEL
"""
import contextlib
import io
import os
import runpy
import sys

import torch


def main():
    script, *arguments = sys.argv[1:]
    # Before the first parallel work: threads take this over from the one that starts them.
    assert torch.set_flush_denormal(True), "this PyTorch cannot take denormals as zero here"
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    sys.argv = [script, *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        runpy.run_path(script, run_name="__main__")
    print(said.getvalue().strip(), torch.__version__)


main()
