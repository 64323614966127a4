#!/usr/bin/python3
"""Runs torch_train_bench.py step by step, with denormals as zero, as Fovea has them.

usage: pytorch_step.py TORCH_TRAIN_BENCH THREADS MODEL
Prints PyTorch's version, then for each line of standard input the milliseconds of one step.
"""
import contextlib
import io
import os
import runpy
import sys
import time

import torch

WARM_UP = 2  # steps whose end the script does not ask the clock for
out = sys.stdout
clock = time.perf_counter


class Clock:
    """time.perf_counter for the script, which calls it before a step and behind it: the step begins when a line arrives."""

    def __init__(self):
        self.warm_up, self.start = WARM_UP, None

    def __call__(self):
        if self.warm_up > 0:
            self.warm_up -= 1
            return clock()
        if self.start is None:
            if not sys.stdin.readline():
                sys.exit()
            self.start = clock()
            return self.start
        end = clock()
        print(1e3 * (end - self.start), file=out, flush=True)
        self.start = None
        return end


def main():
    script, *arguments = sys.argv[1:]
    # Before the first parallel work: threads take this over from the one that starts them.
    assert torch.set_flush_denormal(True), "this PyTorch cannot take denormals as zero here"
    print(torch.__version__, flush=True)
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    sys.argv = [script, *arguments]
    time.perf_counter = Clock()
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(script, run_name="__main__")


main()
