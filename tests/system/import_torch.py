#!/usr/bin/python3
"""`fovea import` of PyTorch's own files, made here by Python's pickle and zipfile as torch.save makes them: both formats give what the
same weights give as safetensors; files that would run code are refused, and nothing runs.

usage: import_torch.py FOVEA
"""
import collections
import io
import pickle
import struct
import sys
import types
import zipfile

import numpy

import program
from program import scratch, tensors, write_safetensors

RECIPE = """fovea: 1
model:
  backbone: {type: resnet18, layers: [1], widths: [8]}
  head: {type: classify, classes: 3}
"""


def fake_torch():
    """Just the names that pickles of PyTorch refer to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = utils

    def _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks):
        raise NotImplementedError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    torch.LongStorage = type("LongStorage", (), {"__module__": "torch"})
    sys.modules.update({"torch": torch, "torch._utils": utils})
    return torch


TORCH = fake_torch()


class Storage:
    def __init__(self, array, key):
        self.array, self.key = array, key


class Tensor:
    def __init__(self, array, key):
        self.storage, self.array = Storage(array, key), array

    def __reduce__(self):
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return TORCH._utils._rebuild_tensor_v2, (self.storage, 0, self.array.shape, strides, False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def __init__(self, file, protocol, old):
        super().__init__(file, protocol)
        self.old = old

    def persistent_id(self, item):
        if not isinstance(item, Storage):
            return None
        kind = TORCH.LongStorage if item.array.dtype == numpy.int64 else TORCH.FloatStorage
        return ("storage", kind, item.key, "cpu", item.array.size) + ((None,) if self.old else ())


def pickled(item, protocol=2, old=False):
    out = io.BytesIO()
    Pickler(out, protocol, old).dump(item)
    return out.getvalue()


def archive(file, item, arrays, protocol=2, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(file, "w", compression) as z:
        z.writestr("archive/data.pkl", pickled(item, protocol))
        z.writestr("archive/byteorder", "little")
        for key, array in arrays.items():
            z.writestr(f"archive/data/{key}", array.tobytes())
        z.writestr("archive/version", "3\n")


def stream(file, item, arrays):
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with open(file, "wb") as f:
        for part in (0x1950A86A20F9469CFC6C, 1001, system):
            pickle.dump(part, f, 2)
        f.write(pickled(item, old=True))
        pickle.dump(sorted(arrays), f, 2)
        for key in sorted(arrays):
            f.write(struct.pack("<q", arrays[key].size) + arrays[key].tobytes())


def state(model):
    """The model's tensors under torchvision's names, as a state dict, and their storages."""
    named, arrays, plain = collections.OrderedDict(), {}, {}
    for number, (name, (kind, shape, data)) in enumerate(tensors(model).items()):
        theirs = name.removeprefix("backbone.").replace("head.fc.", "fc.")
        counts = theirs.endswith("num_batches_tracked")
        values = numpy.frombuffer(data, "<f4").reshape(shape).astype("<i8" if counts else "<f4")
        arrays[str(number)] = values
        named[theirs] = Tensor(values, str(number))
        plain[theirs] = (kind, shape, data)
    named._metadata = collections.OrderedDict({"": {"version": 1}})
    return named, arrays, plain


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os
        return os.system, (f"touch {self.marker}",)


def main():
    fovea = program.Program(sys.argv[1])
    with scratch("torch") as folder:
        recipe, seed = folder / "r.yaml", folder / "seed.safetensors"
        recipe.write_text(RECIPE)
        write_safetensors(folder / "nothing.safetensors", {"conv1.weight": ("F32", [8, 3, 7, 7], numpy.random.default_rng(1).random((8, 3, 7, 7), "<f4").tobytes())}, {})
        fovea.said("import", folder / "nothing.safetensors", "--recipe", recipe, "--partial", "-o", seed)
        named, arrays, plain = state(seed)
        write_safetensors(folder / "plain.safetensors", plain, {})
        fovea.said("import", folder / "plain.safetensors", "--recipe", recipe, "-o", folder / "want.safetensors")
        want = tensors(folder / "want.safetensors")
        wrapped = {"epoch": 7, "args": ["x"], "state_dict": named, "optimizer": {"state": {0: {"step": 1.5}}, "param_groups": [{"lr": 0.1}]}}
        for number, (make, item) in enumerate([(archive, named), (stream, named), (archive, wrapped), (stream, wrapped),
                                               (lambda *a: archive(*a, protocol=4), wrapped)]):
            file, got = folder / f"{number}.pt", folder / f"{number}.safetensors"
            make(file, item, arrays)
            said = fovea.said("import", file, "--recipe", recipe, "-o", got)
            assert ("below 'state_dict.'" in said) == (item is wrapped), said
            assert tensors(got) == want, number

        marker, bad = folder / "marker", folder / "bad.pt"
        for make in (archive, stream):
            make(bad, {"state_dict": named, "args": Evil(marker)}, arrays)
            fovea.refuses("system", "import", bad, "--recipe", recipe, "-o", folder / "x.safetensors", code=1)
            fovea.refuses("none is run here", "import", bad, "--recipe", recipe, "-o", folder / "x.safetensors", code=1)
        assert not marker.exists() and not (folder / "x.safetensors").exists()
        archive(bad, named, arrays, compression=zipfile.ZIP_DEFLATED)
        fovea.refuses("compressed", "import", bad, "--recipe", recipe, "-o", folder / "x.safetensors", code=1)
        archive(bad, named, {})
        fovea.refuses("not in the file", "import", bad, "--recipe", recipe, "-o", folder / "x.safetensors", code=1)
        bad.write_bytes((folder / "0.pt").read_bytes()[:-2000])
        fovea.refuses("bad.pt", "import", bad, "--recipe", recipe, "-o", folder / "x.safetensors", code=1)
        fovea.refuses("fovea import", "describe", folder / "0.pt", code=1)
        fovea.refuses("fovea import", "describe", folder / "plain.safetensors", code=1)


main()
