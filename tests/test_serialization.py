"""Checkpoints: both ways with PyTorch, bit for bit; what is shared stays shared; bad files fail clearly."""

import collections
import copy
import io
import os
import pickle
import stat
import struct
import zipfile
from fractions import Fraction

import pytest
import torch

import rushlight
from rushlight import nn
from rushlight.serialization import safe_globals

DTYPES = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
]


def sample(module, dtype="float32"):
    """A dictionary with everything a checkpoint may hold, made with `module`, PyTorch or Rushlight."""
    base = module.arange(12).to(getattr(module, dtype)).reshape(3, 4)
    parameter = module.nn.Parameter(module.ones(2))
    parameter.note = "kept"
    return {
        "base": base,
        "row": base[1],
        "transposed": base.t(),
        "expanded": module.ones(1).expand(4),
        "empty": module.empty(0, 3),
        "scalar": module.tensor(3.5),
        "requires grad": module.ones(2, requires_grad=True),
        "parameter": module.nn.Parameter(module.zeros(2, 2), requires_grad=False),
        "parameter with a note": parameter,
        "meta": module.empty(2, 3, device="meta"),
        "size": module.Size([1, 2]),
        "dtype": module.float16,
        "device": module.device("cpu"),
        "layout": module.strided,
        "ordered": collections.OrderedDict(a=1, b=[2, (3,)]),
        "plain": [1.5, None, True, -3, 2**70, "text", b"bytes", {1, 2}, 1j, (), {}, -(2**31), 2**40, 300],
        "long": list(range(2500)),
    }


def round_trip(obj, **options):
    buffer = io.BytesIO()
    rushlight.save(obj, buffer)
    buffer.seek(0)
    return rushlight.load(buffer, **options)


def bits(tensor):
    return bytes(tensor.untyped_storage().tolist()) if isinstance(tensor, torch.Tensor) else bytes(
        memoryview(tensor.untyped_storage())
    )  # fmt: skip


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if not isinstance(value, torch.Tensor):
            assert str(ours[name]) == str(value)
            continue
        assert str(ours[name].dtype).rpartition(".")[2] == str(value.dtype).rpartition(".")[2]
        assert tuple(ours[name].shape) == tuple(value.shape)
        assert ours[name].stride() == value.stride()
        assert ours[name].storage_offset() == value.storage_offset()
        assert ours[name].requires_grad == value.requires_grad
        if value.device.type == "meta":
            assert ours[name].device.type == "meta"
        else:
            assert bits(ours[name]) == bits(value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pytorch_checkpoint_loads_here(tmp_path, dtype):
    theirs = sample(torch, dtype)
    torch.save(theirs, tmp_path / "checkpoint.pt")
    ours = rushlight.load(tmp_path / "checkpoint.pt")
    assert_same(ours, theirs)
    assert type(ours["parameter"]) is nn.Parameter
    assert ours["parameter with a note"].note == "kept"


@pytest.mark.parametrize("dtype", DTYPES)
def test_checkpoint_of_ours_loads_in_pytorch(tmp_path, dtype):
    ours = sample(rushlight, dtype)
    rushlight.save(ours, tmp_path / "checkpoint.pt")
    theirs = torch.load(tmp_path / "checkpoint.pt")
    assert_same(ours, theirs)
    assert theirs["parameter with a note"].note == "kept"


def test_file_is_pytorchs_byte_for_byte_but_for_its_identity(tmp_path):
    (tmp_path / "ours").mkdir()
    torch.save(sample(torch), tmp_path / "checkpoint.pt")
    rushlight.save(sample(rushlight), tmp_path / "ours" / "checkpoint.pt")
    theirs, ours = (
        path.read_bytes() for path in (tmp_path / "checkpoint.pt", tmp_path / "ours" / "checkpoint.pt")
    )
    assert len(ours) == len(theirs)
    same = theirs.rindex(b"checkpoint/.data/serialization_id", 0, theirs.index(b"PK\1\2"))
    assert ours[:same] == theirs[:same]
    with zipfile.ZipFile(tmp_path / "ours" / "checkpoint.pt") as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_loads(tmp_path, protocol):
    rushlight.save(sample(rushlight), tmp_path / "a.pt", pickle_protocol=protocol)
    assert_same(rushlight.load(tmp_path / "a.pt"), sample(torch))
    assert_same(rushlight.load(tmp_path / "a.pt", weights_only=False), sample(torch))
    torch.save(sample(torch), tmp_path / "b.pt", pickle_protocol=protocol)
    assert_same(rushlight.load(tmp_path / "b.pt"), sample(torch))


def test_shared_storage_stays_shared():
    base = rushlight.arange(6.0)
    loaded = round_trip([base, base[2:], base.reshape(2, 3).t()])
    loaded[0][3] = 100
    assert loaded[1].tolist() == [2, 100, 4, 5]
    assert loaded[2][0, 1].item() == 100
    storages = {tensor.untyped_storage().data_ptr() for tensor in loaded}
    assert len(storages) == 1


def test_model_and_optimizer_state_round_trip():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = rushlight.optim.Adam(model.parameters(), lr=0.01)
    model(rushlight.randn(5, 3)).sum().backward()
    optimizer.step()
    loaded = round_trip({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    other.load_state_dict(loaded["model"])
    for ours, theirs in zip(other.parameters(), model.parameters(), strict=True):
        assert rushlight.equal(ours, theirs)
    again = rushlight.optim.Adam(other.parameters())
    again.load_state_dict(loaded["optimizer"])
    assert again.param_groups[0]["lr"] == 0.01


def test_state_dict_of_pytorch_model_loads_into_ours_and_back(tmp_path):
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    ours = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    ours.load_state_dict(rushlight.load(tmp_path / "theirs.pt"))
    rushlight.save(ours.state_dict(), tmp_path / "ours.pt")
    for name, value in torch.load(tmp_path / "ours.pt").items():
        assert torch.equal(value, theirs.state_dict()[name])


def test_whole_module_round_trips_without_weights_only():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    loaded = round_trip(model, weights_only=False)
    x = rushlight.randn(2, 3)
    assert repr(loaded) == repr(model)
    assert rushlight.equal(loaded(x), model(x))
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        round_trip(model)


class Pair:
    def __init__(self, first, second):
        self.first, self.second = first, second


def test_safe_globals_allow_a_class():
    pair = Pair(rushlight.ones(2), [1])
    with pytest.raises(pickle.UnpicklingError, match=r"add_safe_globals\(\[.*Pair\]\)"):
        round_trip(pair)
    with safe_globals([Pair]):
        loaded = round_trip(pair)
    assert loaded.second == [1]
    assert loaded.first.tolist() == [1, 1]
    with safe_globals([(Fraction, "fractions.Fraction")]):
        assert round_trip(Fraction(1, 3)) == Fraction(1, 3)
    assert rushlight.serialization.get_safe_globals() == []


def test_subclass_and_attributes_survive():
    class_of_ours = type("Marked", (rushlight.Tensor,), {"__module__": __name__})
    globals()["Marked"] = class_of_ours
    tensor = rushlight.ones(3).as_subclass(class_of_ours)
    tensor.mark = "x"
    loaded = round_trip(tensor, weights_only=False)
    assert type(loaded) is class_of_ours
    assert loaded.mark == "x"
    assert pickle.loads(pickle.dumps(tensor)).mark == "x"


# ---- map_location


@pytest.mark.parametrize("location", ["meta", {"cpu": "meta"}, lambda storage, location: None])
def test_map_location(location):
    for module in (torch, rushlight):
        buffer = io.BytesIO()
        module.save({"a": module.ones(2)}, buffer)
        buffer.seek(0)
        device = module.load(buffer, map_location=location)["a"].device.type
        assert device == ("cpu" if callable(location) else "meta")


def test_map_location_of_a_device_we_lack():
    for location, error in (
        ("cuda", "Attempting to deserialize object on a CUDA"),
        ("foo", "don't know how to"),
    ):
        with pytest.raises(RuntimeError, match=error):
            round_trip(rushlight.ones(2), map_location=location)
    assert round_trip(rushlight.ones(2), map_location=rushlight.device("meta")).device.type == "meta"


# ---- files


def test_path_and_file_object_and_bytes(tmp_path):
    rushlight.save(rushlight.ones(2), str(tmp_path / "a.pt"))
    with open(tmp_path / "a.pt", "rb") as file:
        assert rushlight.load(file).tolist() == [1, 1]
    with open(tmp_path / "b.pt", "wb") as file:
        rushlight.save([1], file)
    assert torch.load(tmp_path / "b.pt") == [1]
    assert rushlight.load(tmp_path / "b.pt") == [1]


def test_mmap(tmp_path):
    rushlight.save({"a": rushlight.arange(1000), "b": rushlight.empty(0)}, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    loaded = rushlight.load(tmp_path / "a.pt", mmap=True)
    assert rushlight.equal(loaded["a"], rushlight.arange(1000))
    loaded["a"].zero_()
    del loaded
    assert (tmp_path / "a.pt").read_bytes() == before
    with pytest.raises(ValueError, match="f must be a string filename"):
        rushlight.load(io.BytesIO(before), mmap=True)


def test_saving_replaces_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.pt"
    rushlight.save([1], path)
    os.chmod(path, 0o640)
    with pytest.raises(Exception, match="cannot pickle|Can't pickle"):
        rushlight.save([lambda: 0], path)
    assert rushlight.load(path) == [1]
    rushlight.save([2], path)
    assert rushlight.load(path) == [2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.pt"]


def test_saving_follows_a_link_and_the_umask(tmp_path):
    (tmp_path / "link.pt").symlink_to(tmp_path / "target.pt")
    before = os.umask(0o027)
    try:
        rushlight.save([1], tmp_path / "link.pt")
    finally:
        os.umask(before)
    assert (tmp_path / "link.pt").is_symlink()
    assert stat.S_IMODE((tmp_path / "target.pt").stat().st_mode) == 0o640
    rushlight.save([1], os.devnull)
    assert not os.path.isfile(os.devnull)


def test_errors_of_arguments(tmp_path):
    for module in (torch, rushlight):
        with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist\."):
            module.save(1, str(tmp_path / "nowhere" / "a.pt"))
        with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object"):
            module.save(1, 3)
        with pytest.raises(AttributeError, match="You can only torch.load from a file that is seekable"):
            module.load(3)
        with pytest.raises(FileNotFoundError):
            module.load(tmp_path / "nothing.pt")


# ---- bad files


class Runs:
    def __reduce__(self):
        return os.system, ("touch ran",)


def archive_of(pickled, storages=(), root="archive", names=()):
    """Bytes of a checkpoint with any pickle and storages, to be damaged or hostile."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickled)
        archive.writestr(f"{root}/byteorder", b"little")
        for key, data in enumerate(storages):
            archive.writestr(f"{root}/data/{key}", data)
        for name in names:
            archive.writestr(name, b"x")
    buffer.seek(0)
    return buffer


def tensor_pickle(numel, offset, size, stride, key="0"):
    """The pickle of one tensor with any claims about its storage and layout."""

    def integers(values):
        return b"(" + b"".join(integer(value) for value in values) + b"t"

    def integer(value):
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        + b"X" + struct.pack("<I", len(key)) + key.encode() + b"X\x03\x00\x00\x00cpu"
        + integer(numel) + b"tQ" + integer(offset) + integers(size) + integers(stride)
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def test_hand_made_checkpoint_loads():
    assert rushlight.load(archive_of(tensor_pickle(2, 0, [2], [1]), [bytes(8)])).tolist() == [0, 0]


HOSTILE = {
    "huge element count": (tensor_pickle(2**60, 0, [2], [1]), [bytes(8)]),
    "storage smaller than it claims": (tensor_pickle(100, 0, [100], [1]), [bytes(8)]),
    "extent beyond the storage": (tensor_pickle(2, 0, [100], [1]), [bytes(8)]),
    "offset beyond the storage": (tensor_pickle(2, 2**40, [2], [1]), [bytes(8)]),
    "stride beyond the storage": (tensor_pickle(2, 0, [2], [2**40]), [bytes(8)]),
    "overflowing extent": (tensor_pickle(2, 0, [2**62, 2**62], [2**62, 2**62]), [bytes(8)]),
    "overflowing element count": (tensor_pickle(2, 0, [2**40, 2**40], [0, 0]), [bytes(8)]),
    "negative size": (tensor_pickle(2, 0, [-1], [1]), [bytes(8)]),
    "negative stride": (tensor_pickle(2, 1, [2], [-1]), [bytes(8)]),
    "negative offset": (tensor_pickle(2, -1, [1], [1]), [bytes(8)]),
    "negative element count": (tensor_pickle(-2, 0, [2], [1]), [bytes(8)]),
    "beyond 64 bits": (tensor_pickle(2, 0, [2**64], [1]), [bytes(8)]),
    "sizes and strides of unequal number": (tensor_pickle(2, 0, [1, 1], [1]), [bytes(8)]),
    "no such storage": (tensor_pickle(2, 0, [2], [1], "7"), [bytes(8)]),
    "storage name leads elsewhere": (tensor_pickle(2, 0, [2], [1], "../data.pkl"), [bytes(8)]),
    "truncated pickle": (tensor_pickle(2, 0, [2], [1])[:60], [bytes(8)]),
    "empty pickle": (b"", []),
    "only a stop": (b".", []),
    "unknown opcode": (b"\x80\x02\xff.", []),
    "reserved opcode": (b"\x80\x02(cos\nsystem\nX\x02\x00\x00\x00lso.", []),
    "extension": (b"\x80\x02\x82\x01.", []),
    "protocol of the future": (b"\x80\x09N.", []),
    "global of os": (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", []),
    "global of builtins": (b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", []),
    "getattr": (b"\x80\x02c__builtin__\ngetattr\n.", []),
    "call of a tensor class": (b"\x80\x02ctorch\nTensor\nJ\x00\x00\x00\x40\x85R.", []),
    "new tensor": (b"\x80\x02ctorch\nTensor\nJ\x00\x00\x00\x40\x85\x81.", []),
    "call of a dtype": (b"\x80\x02ctorch\nfloat32\n)R.", []),
    "call of a list": (b"\x80\x02]K\x01\x85R.", []),
    "attributes of a function": (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",
        [],
    ),
    "items of a tuple": (b"\x80\x02)K\x01a.", []),
    "huge bytearray": (b"\x80\x02c__builtin__\nbytearray\nJ\x00\x00\x00\x7f\x85R.", []),
    "huge string": (b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"a.", []),
    "huge integer": (b"\x80\x02\x8b" + struct.pack("<I", 2**31) + b"a.", []),
    "unhashable key": (b"\x80\x02}]K\x01s.", []),
    "memo that is not there": (b"\x80\x02h\x05.", []),
    "mark that is not there": (b"\x80\x02t.", []),
    "persistent id of another kind": (b"\x80\x02K\x01Q.", []),
    "rebuild from a function of choice": (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(c_codecs\nencode\nctorch\nTensor\nX\x01\x00\x00\x00a\x85}tR.",
        [],
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickle_fails_clearly(name, tmp_path):
    path = tmp_path / "hostile.pt"
    path.write_bytes(archive_of(*HOSTILE[name]).getvalue())
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match=r"hostile\.pt"):
        rushlight.load(path)


def test_large_memo_index_costs_nothing():
    assert rushlight.load(archive_of(b"\x80\x02K\x07r\xff\xff\xff\x7f.")) == 7


def test_os_system_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    rushlight.save(Runs(), buffer)
    for module in (torch, rushlight):
        buffer.seek(0)
        with pytest.raises(pickle.UnpicklingError, match="(?s)Weights only load failed.*posix.system"):
            module.load(buffer)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "archive/../../x", "other/data/0", "archive", "archive\\..\\x"],
)
def test_unsafe_names_in_the_archive(name):
    with pytest.raises(RuntimeError, match="unsafe name"):
        rushlight.load(archive_of(b"\x80\x02N.", names=[name]))


def test_compressed_and_overlapping_records():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
        archive.writestr("archive/data/0", bytes(1 << 24))
    with pytest.raises(RuntimeError, match="compressed"):
        rushlight.load(buffer)
    data = bytearray(archive_of(b"\x80\x02N.", [bytes(8), bytes(8)]).getvalue())
    entries = [place for place in range(len(data) - 4) if data[place : place + 4] == b"PK\1\2"]
    data[entries[3] + 42 : entries[3] + 46] = data[entries[2] + 42 : entries[2] + 46]
    with pytest.raises(RuntimeError, match="overlaps"):
        rushlight.load(io.BytesIO(bytes(data)))


def test_every_truncation_fails_clearly(tmp_path):
    path = tmp_path / "short.pt"
    buffer = io.BytesIO()
    rushlight.save({"a": rushlight.arange(20)}, buffer)
    whole = buffer.getvalue()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=r"short\.pt"):
            rushlight.load(path)


def test_every_flipped_byte_fails_clearly_or_changes_nothing_but_values():
    buffer = io.BytesIO()
    rushlight.save({"a": rushlight.arange(20), "b": rushlight.ones(2)[1:]}, buffer)
    whole = buffer.getvalue()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        try:
            loaded = rushlight.load(io.BytesIO(bytes(damaged)))
        except (RuntimeError, pickle.UnpicklingError):
            continue
        assert rushlight.equal(loaded["a"], rushlight.arange(20))


def test_corrupt_storage_is_named():
    buffer = io.BytesIO()
    rushlight.save(rushlight.full((64,), 7.0), buffer)
    data = bytearray(buffer.getvalue())
    data[data.index(struct.pack("<f", 7.0) * 64)] ^= 1
    with pytest.raises(RuntimeError, match="record 'data/0' is corrupt"):
        rushlight.load(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\5\6" + bytes(18), b"\x80\x02]q\x00."])
def test_other_files_fail_clearly(content):
    with pytest.raises(RuntimeError):
        rushlight.load(io.BytesIO(content))


def test_one_storage_as_two_dtypes_is_refused():
    for module in (torch, rushlight):
        tensor = module.ones(4)
        with pytest.raises(
            RuntimeError, match="Cannot save multiple tensors or storages that view the same data"
        ):
            module.save([tensor, tensor.view(module.int32)], io.BytesIO())


# ---- pickling and copying


def test_plain_pickle_round_trip():
    for name, tensor in sample(rushlight).items():
        if isinstance(tensor, rushlight.Tensor):
            loaded = pickle.loads(pickle.dumps(tensor))
            assert type(loaded) is type(tensor), name
            assert repr(loaded) == repr(tensor), name


def copies(module):
    tensor = module.arange(6.0, requires_grad=True)
    tensor.note = [1]
    (tensor * 2).sum().backward()
    base = module.arange(6)
    return {
        "leaf": tensor,
        "same": tensor,
        "base": base,
        "view": base[2:],
        "parameter": module.nn.Parameter(base * 1.0),
    }


def test_deepcopy_as_pytorch():
    facts = []
    for module in (torch, rushlight):
        original = copies(module)
        copied = copy.deepcopy(original)
        copied["base"][3] = 50
        copied["leaf"].note.append(2)
        facts.append(
            [
                copied["leaf"] is copied["same"],
                copied["leaf"].grad.tolist(),
                copied["leaf"].note,
                original["leaf"].note,
                copied["view"].tolist(),
                original["view"].tolist(),
                type(copied["parameter"]).__name__,
                copied["parameter"].requires_grad,
                copied["leaf"].is_leaf,
            ]
        )
    assert facts[0] == facts[1]


def test_deepcopy_of_what_is_no_leaf():
    messages = []
    for module in (torch, rushlight):
        with pytest.raises(RuntimeError) as caught:
            copy.deepcopy(module.ones(2, requires_grad=True) * 2)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_deepcopy_of_a_parameter_leaves_its_gradient():
    for module in (torch, rushlight):
        parameter = module.nn.Parameter(module.ones(2))
        parameter.sum().backward()
        assert copy.deepcopy(parameter).grad is None
