"""NumPy, buffers, DLPack and storages: one memory seen from several sides, held against PyTorch."""

import copy
import ctypes
import gc
import os
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch as pytorch

import rushlight
from rushlight.utils import dlpack

from .outcomes import assert_same

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]

CASES = {
    "numpy": lambda t: t.ones(2, 3).numpy(),
    "numpy transposed": lambda t: t.ones(2, 3).T.numpy(),
    "numpy expanded": lambda t: t.ones(2, 3).expand(4, 2, 3).numpy(),
    "numpy strided": lambda t: t.ones(2, 6)[:, ::2].numpy(),
    "numpy scalar": lambda t: t.ones(()).numpy(),
    "numpy empty": lambda t: t.ones(0).numpy(),
    "numpy of grad": lambda t: t.ones(2, requires_grad=True).numpy(),
    "numpy forced": lambda t: t.ones(2, requires_grad=True).numpy(force=True),
    "numpy bfloat16": lambda t: t.ones(2, dtype=t.bfloat16).numpy(),
    "numpy meta": lambda t: t.ones(2, device="meta").numpy(),
    "array": lambda t: np.array(t.ones(2)),
    "asarray": lambda t: np.asarray(t.ones(2)),
    "asarray of grad": lambda t: np.asarray(t.ones(2, requires_grad=True)),
    "asarray bfloat16": lambda t: np.asarray(t.ones(2, dtype=t.bfloat16)),
    "asarray dtype": lambda t: np.asarray(t.ones(2), dtype=np.int32),
    "array dtype": lambda t: t.ones(2).__array__(np.float64),
    "array keyword": lambda t: t.ones(2).__array__(dtype=np.int32),
    "array list": lambda t: np.array([t.tensor(1.0), t.tensor(2.0)]),
    "ufunc": lambda t: np.sin(t.ones(2)),
    "numpy first": lambda t: t.ones(2) + np.ones(2),
    "numpy float": lambda t: t.ones(2) * np.float64(2),
    "numpy float first": lambda t: np.float64(2) * t.ones(2),
    "numpy float32 first": lambda t: np.float32(2) * t.ones(2),
    "numpy int": lambda t: t.ones(2, dtype=t.int64) + np.int64(2),
    "numpy int argument": lambda t: t.ones(np.int64(2), np.int32(3)),
    "numpy shape": lambda t: t.zeros(6).reshape(tuple(np.array([2, 3]))),
    "numpy index": lambda t: t.arange(5)[np.int64(2)],
    "numpy array index": lambda t: t.arange(5)[np.array([0, 2])],
    "numpy mask": lambda t: t.arange(3)[np.array([True, False, True])],
    "concatenate": lambda t: np.concatenate([t.ones(2), t.ones(2)]),
    "priority": lambda t: t.ones(2).__array_priority__,
    "from_numpy": lambda t: t.from_numpy(np.arange(6).reshape(2, 3)),
    "from_numpy transposed": lambda t: t.from_numpy(np.arange(6.0).reshape(2, 3).T),
    "from_numpy scalar": lambda t: t.from_numpy(np.array(1.5)),
    "from_numpy empty": lambda t: t.from_numpy(np.zeros((0, 3))),
    "from_numpy strided": lambda t: t.from_numpy(np.arange(10)[1::3]),
    "from_numpy of list": lambda t: t.from_numpy([1]),
    "from_numpy of scalar": lambda t: t.from_numpy(np.float32(1)),
    "from_numpy negative": lambda t: t.from_numpy(np.array([1, 2, 3])[::-1]),
    "from_numpy strings": lambda t: t.from_numpy(np.array(["a"])),
    "from_numpy objects": lambda t: t.from_numpy(np.array([object()])),
    "from_numpy dates": lambda t: t.from_numpy(np.array([1], dtype="datetime64[s]")),
    "from_numpy long double": lambda t: t.from_numpy(np.array([1], dtype=np.longdouble)),
    "from_numpy long long": lambda t: t.from_numpy(np.array([1], dtype=np.longlong)),
    "from_numpy byte order": lambda t: t.from_numpy(np.array([1], dtype=">i4")),
    "from_numpy records": lambda t: t.from_numpy(np.zeros(3, dtype=[("a", "i4"), ("b", "f4")])),
    "from_numpy field": lambda t: t.from_numpy(np.zeros(3, dtype=[("a", "i4"), ("b", "f4")])["b"]),
    "from_numpy odd field": lambda t: t.from_numpy(np.zeros(3, dtype=[("a", "i1"), ("b", "f4")])["b"]),
    "tolist": lambda t: t.ones(2, 3).tolist(),
    "tolist scalar": lambda t: t.tensor(1.5).tolist(),
    "tolist empty": lambda t: t.zeros(2, 0).tolist(),
    "tolist meta": lambda t: t.ones(2, device="meta").tolist(),
    "tolist transposed": lambda t: t.arange(6).reshape(2, 3).T.tolist(),
    "dlpack numpy": lambda t: t.from_dlpack(np.arange(6).reshape(2, 3).T),
    "dlpack tensor": lambda t: t.from_dlpack(t.ones(2)),
    "dlpack capsule": lambda t: t.from_dlpack(t.ones(2).__dlpack__()),
    "dlpack versioned": lambda t: t.from_dlpack(t.ones(2).__dlpack__(max_version=(1, 0))),
    "dlpack copy": lambda t: t.from_dlpack(np.ones(2), copy=True),
    "dlpack device": lambda t: t.from_dlpack(np.ones(2), device="cpu"),
    "dlpack nothing": lambda t: t.from_dlpack(3),
    "dlpack twice": lambda t: [t.from_dlpack(c) for c in [t.ones(2).__dlpack__()] * 2],
    "dlpack strings": lambda t: t.from_dlpack(np.array(["a"])),
    "dlpack scalar": lambda t: t.from_dlpack(np.array(2.5)),
    "to numpy": lambda t: np.from_dlpack(t.ones(2, 3).T),
    "dlpack of grad": lambda t: t.ones(2, requires_grad=True).__dlpack__(),
    "dlpack of meta": lambda t: t.ones(2, device="meta").__dlpack__(),
    "dlpack device of meta": lambda t: t.ones(2, device="meta").__dlpack_device__(),
    "dlpack stream": lambda t: t.ones(2).__dlpack__(stream=1),
    "dlpack device number": lambda t: [int(part) for part in t.ones(2).__dlpack_device__()],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_interchange(name):
    assert_same(CASES[name])


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trips(dtype):
    source = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    tensor = rushlight.from_numpy(source)
    assert tensor.dtype is getattr(rushlight, dtype)
    back = tensor.numpy()
    assert back.dtype == source.dtype
    assert np.array_equal(back, source)
    assert np.array_equal(np.from_dlpack(tensor) if dtype != "bool" else back, source)
    assert rushlight.from_dlpack(tensor).tolist() == source.tolist()
    assert pytorch.from_dlpack(tensor).tolist() == source.tolist()
    assert rushlight.from_dlpack(pytorch.from_numpy(source)).tolist() == source.tolist()
    view = memoryview(tensor)
    assert view.shape == source.shape
    assert view.tobytes() == source.tobytes()


def test_bfloat16_travels_by_dlpack():
    tensor = pytorch.from_dlpack(rushlight.tensor([1.5, -2.0], dtype=rushlight.bfloat16))
    assert tensor.dtype is pytorch.bfloat16
    assert rushlight.from_dlpack(tensor).tolist() == [1.5, -2.0]


def test_memory_is_shared_both_ways():
    tensor = rushlight.zeros(2, 3)
    array = tensor.numpy()
    capsule = np.from_dlpack(tensor)
    view = memoryview(tensor)
    array[0, 0] = 1
    tensor[1, 2] = 2
    capsule[0, 1] = 3
    view[1, 0] = 4.0
    assert tensor.tolist() == array.tolist() == capsule.tolist() == [[1, 3, 0], [4, 0, 2]]
    assert rushlight.from_numpy(array).data_ptr() == tensor.data_ptr() == array.ctypes.data


def test_arrays_keep_tensors_alive():
    array = rushlight.arange(1000).numpy()
    gc.collect()
    rushlight.zeros(1000).numpy()
    assert array[999] == 999
    source = np.arange(1000)
    gone = weakref.ref(source)
    tensor = rushlight.from_numpy(source)
    del source
    assert tensor[999].item() == 999
    del tensor
    gc.collect()
    assert gone() is None


def test_lent_memory_does_not_move():
    tensor = rushlight.zeros(4)
    array = tensor.numpy()
    with pytest.raises(RuntimeError, match="not resizable"):
        tensor.resize_(100000)
    with pytest.raises(RuntimeError, match="not resizable"):
        tensor.untyped_storage().resize_(100000)
    assert array.tolist() == [0, 0, 0, 0]
    del array
    assert tensor.resize_(100000).numel() == 100000


def test_read_only_arrays_warn_once_a_program():
    code = """
import warnings, numpy, {0} as torch
warnings.simplefilter("always")
a = numpy.zeros(2)
a.setflags(write=False)
with warnings.catch_warnings(record=True) as told:
    torch.tensor(a), torch.from_numpy(a), torch.from_numpy(a)
print([str(w.message).partition(" (Triggered")[0] for w in told])
"""
    told = [
        subprocess.run(
            [sys.executable, "-c", code.format(name)], capture_output=True, text=True, check=True
        ).stdout
        for name in ("rushlight", "torch")
    ]
    assert told[0] == told[1]
    assert "not writable" in told[0]


def test_views_of_buffers():
    tensor = rushlight.arange(6, dtype=rushlight.int32).reshape(2, 3)
    assert memoryview(tensor).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert bytes(tensor) == np.arange(6, dtype=np.int32).tobytes()
    assert memoryview(tensor.T).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert not memoryview(tensor.T).c_contiguous
    with pytest.raises(TypeError, match="C contiguous"):
        ctypes.c_char.from_buffer(tensor.T)
    for refused in (
        rushlight.ones(2, requires_grad=True),
        rushlight.ones(2, device="meta"),
        rushlight.ones(2, dtype=rushlight.bfloat16),
    ):
        with pytest.raises(BufferError):
            memoryview(refused)


def test_dlpack_module():
    capsule = dlpack.to_dlpack(rushlight.ones(2))
    assert dlpack.from_dlpack(capsule).tolist() == [1.0, 1.0]
    assert dlpack.DLDeviceType.kDLCPU == rushlight.ones(1).__dlpack_device__()[0]
    dlpack.to_dlpack(rushlight.ones(2))  # dropped unused: released by the capsule


def test_dlpack_refuses_what_it_cannot_hold():
    with pytest.raises(ValueError, match="negative"):
        rushlight.from_dlpack(np.ones(3)[::-1])
    with pytest.raises(BufferError):
        rushlight.from_dlpack(np.ones(3, dtype=np.uint16))
    with pytest.raises(BufferError):
        rushlight.ones(1).__dlpack__(dl_device=(2, 0))


def test_dlpack_copies_when_asked():
    source = rushlight.zeros(2)
    copied = rushlight.from_dlpack(source, copy=True)
    copied[0] = 1
    assert source.tolist() == [0, 0]


STORAGE_CASES = {
    "repr": lambda t: repr(t.UntypedStorage([1, 2])),
    "empty": lambda t: repr(t.UntypedStorage()),
    "sizes": lambda t: [t.UntypedStorage(4).nbytes(), len(t.UntypedStorage(4)), t.UntypedStorage(4).size()],
    "items": lambda t: [t.UntypedStorage([1, 2, 3])[0], t.UntypedStorage([1, 2, 3])[-1]],
    "slice": lambda t: t.UntypedStorage([1, 2, 3])[1:].tolist(),
    "bad index": lambda t: t.UntypedStorage([1])[5],
    "bad key": lambda t: t.UntypedStorage([1])["a"],
    "string": lambda t: t.UntypedStorage("a"),
    "wraps": lambda t: t.UntypedStorage([300]).tolist(),
    "resize": lambda t: t.UntypedStorage([1, 2]).resize_(1).tolist(),
    "fill": lambda t: t.UntypedStorage([1, 2]).fill_(4).tolist(),
    "copy": lambda t: t.UntypedStorage([1, 2]).copy_(t.UntypedStorage([3, 4])).tolist(),
    "copy sizes": lambda t: t.UntypedStorage([1, 2]).copy_(t.UntypedStorage([3, 4, 5])),
    "clone": lambda t: t.UntypedStorage([1, 2]).clone().tolist(),
    "device": lambda t: [t.UntypedStorage(1).device, t.UntypedStorage(1, device="meta").device],
    "element_size": lambda t: t.UntypedStorage(1).element_size(),
    "shared": lambda t: [t.UntypedStorage(1).is_shared(), t.UntypedStorage(1).share_memory_().is_shared()],
    "bytes": lambda t: bytes(t.UntypedStorage([1, 2])),
    "of tensor": lambda t: t.tensor([1.0]).untyped_storage().tolist(),
    "of view": lambda t: t.ones(10)[3:5].untyped_storage().nbytes(),
    "deepcopy": lambda t: copy.deepcopy(t.UntypedStorage([1, 2])).tolist(),
    "Tensor": lambda t: t.Tensor(t.UntypedStorage([0, 0, 128, 63])),
    "equal": lambda t: t.UntypedStorage([1]) == t.UntypedStorage([1]),
}


@pytest.mark.parametrize("name", STORAGE_CASES)
def test_storage(name):
    assert_same(STORAGE_CASES[name])


def test_storages_pickle():
    assert pickle.loads(pickle.dumps(rushlight.UntypedStorage([1, 2]))).tolist() == [1, 2]


def test_a_storage_is_one_object():
    tensor = rushlight.arange(4)
    storage = tensor.untyped_storage()
    assert tensor[1:].untyped_storage() is storage
    assert storage._cdata == tensor.view(2, 2).untyped_storage()._cdata
    assert storage.data_ptr() == tensor.data_ptr()
    storage[8] = 7
    assert tensor.tolist() == [0, 7, 2, 3]
    del tensor
    assert storage[8] == 7


def test_shared_memory_reaches_forked_processes():
    tensor = rushlight.zeros(4)
    view = tensor[2:]
    tensor.untyped_storage().share_memory_()
    child = os.fork()
    if child == 0:
        view[0] = 5
        os._exit(0)
    os.waitpid(child, 0)
    assert tensor.tolist() == [0, 0, 5, 0]


IN_PLACE_CASES = {
    "set_ tensor": lambda t: t.ones(2).set_(t.arange(3.0)),
    "set_ nothing": lambda t: t.ones(2).set_(),
    "set_ storage": lambda t: t.ones(2).set_(t.arange(4.0).untyped_storage()),
    "set_ part": lambda t: t.ones(2).set_(t.arange(4.0).untyped_storage(), 1, (2,), (1,)),
    "set_ contiguous part": lambda t: t.ones(2).set_(t.arange(4.0).untyped_storage(), 1, (2,)),
    "set_ part of tensor": lambda t: t.ones(2).set_(t.arange(4.0), 1, (2,), (1,)),
    "set_ leaf": lambda t: t.ones(2, requires_grad=True).set_(t.arange(4.0)),
    "is_set_to": lambda t: [t.ones(2).is_set_to(t.ones(2)), (lambda a: a.is_set_to(a[:]))(t.ones(2))],
    "resize_": lambda t: t.arange(4).resize_(2, 2),
    "resize_ tuple": lambda t: t.arange(4).resize_((1, 2)),
    "resize_ strides": lambda t: t.arange(6).reshape(2, 3).T.resize_(3, 2),
    "resize_ grad": lambda t: t.ones(2, requires_grad=True).resize_(3),
    "resize_as_": lambda t: t.arange(4).resize_as_(t.ones(2, 2)),
    "detach_": lambda t: (t.ones(2, requires_grad=True) * 2).detach_(),
    "detach_ leaf": lambda t: t.ones(2, requires_grad=True).detach_(),
    "detach_ view": lambda t: (t.ones(2, requires_grad=True) * 2)[0].detach_(),
    "apply_": lambda t: t.arange(3.0).apply_(lambda x: x * 2),
    "apply_ grad": lambda t: t.ones(2, requires_grad=True).apply_(abs),
    "map_": lambda t: t.arange(3.0).map_(t.ones(3), lambda a, b: a + b),
    "reversed": lambda t: reversed(t.arange(3)),
    "is_nonzero": lambda t: [
        t.tensor(2.0).is_nonzero(),
        t.ones(1).is_pinned(),
        t.ones(2).is_same_size(t.ones(3)),
    ],
    "is_nonzero of several": lambda t: t.ones(2).is_nonzero(),
}


@pytest.mark.parametrize("name", IN_PLACE_CASES)
def test_memory_in_place(name):
    assert_same(IN_PLACE_CASES[name])


def test_set_stays_inside_the_storage():
    with pytest.raises(RuntimeError, match="out of bounds"):
        rushlight.ones(2).set_(rushlight.arange(4.0).untyped_storage(), 1, (2, 2))
    with pytest.raises(RuntimeError, match="Could not set tensor"):
        rushlight.ones(2).set_(rushlight.arange(3))


def test_data_keeps_its_memory_when_the_tensor_is_resized():
    tensor = rushlight.zeros(4)
    data = tensor.data
    with pytest.raises(RuntimeError, match="not resizable"):
        tensor.resize_(100000)
    assert data.tolist() == [0, 0, 0, 0]


def test_tensors_on_storages_stay_inside_them():
    make = rushlight._C._tensor_from_storage
    storage = rushlight.UntypedStorage([1, 0, 0, 0, 2, 0, 0, 0])
    assert make(storage, rushlight.int32, 0, (2,), (1,)).tolist() == [1, 2]
    assert make(storage, rushlight.int32, 1, (3,), (0,)).tolist() == [2, 2, 2]
    for offset, size, stride in (
        (1, (2,), (1,)), (0, (3,), (1,)), (-1, (1,), (1,)), (0, (2,), (2,)), (0, (2,), (-1,)), (0, (2, 2), (1,)),
        (0, (1 << 60,), (1,)), (0, (2,), (1 << 62,)), (1 << 62, (1,), (1,)), (0, (-1,), (1,)),
    ):  # fmt: skip
        with pytest.raises(RuntimeError):
            make(storage, rushlight.int32, offset, size, stride)


PICKLES = {
    "plain": lambda t: t.arange(3),
    "view": lambda t: t.arange(10)[2:6:2],
    "transposed": lambda t: t.arange(6.0).reshape(2, 3).T,
    "scalar": lambda t: t.tensor(1.5),
    "empty": lambda t: t.zeros(0, 3),
    "grad": lambda t: t.ones(2, requires_grad=True),
    "bfloat16": lambda t: t.ones(2, dtype=t.bfloat16),
    "complex": lambda t: t.tensor([1j, 2]),
    "bool": lambda t: t.tensor([True, False]),
    "meta": lambda t: t.ones(2, 3, device="meta"),
    "parameter": lambda t: t.nn.Parameter(t.ones(2)),
    "dictionary": lambda t: {"a": t.ones(1)}["a"],
}


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.parametrize("protocol", [2, 5])
def test_pickles(name, protocol):
    assert_same(lambda torch: pickle.loads(pickle.dumps(PICKLES[name](torch), protocol)))
    assert_same(lambda torch: copy.deepcopy(PICKLES[name](torch)))
    assert_same(lambda torch: copy.copy(PICKLES[name](torch)))


def test_attributes_travel():
    tensor = rushlight.ones(2)
    tensor.note = [1]
    assert pickle.loads(pickle.dumps(tensor)).note == [1]
    copied = copy.deepcopy(tensor)
    assert copied.note == [1]
    assert copied.note is not tensor.note


def test_nothing_leaks():
    array = np.ones(3)
    tensor = rushlight.ones(3)

    def exchange():
        rushlight.from_numpy(array).numpy()
        np.asarray(tensor)
        rushlight.from_dlpack(array)
        rushlight.from_dlpack(tensor.__dlpack__(max_version=(1, 0)))
        tensor.__dlpack__()
        memoryview(tensor)
        tensor.untyped_storage()[0]
        pickle.loads(pickle.dumps(tensor))

    for _ in range(20):
        exchange()
    gc.collect()
    watched = (array, tensor, type(array), rushlight.float32, rushlight.UntypedStorage)
    before = [sys.getrefcount(item) for item in watched]
    allocated = rushlight.memory_stats()
    for _ in range(200):
        exchange()
    gc.collect()
    assert max(abs(sys.getrefcount(item) - count) for item, count in zip(watched, before, strict=True)) < 20
    assert rushlight.memory_stats()["allocated_bytes.current"] <= allocated["allocated_bytes.current"] + 4096
