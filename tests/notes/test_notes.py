"""The field notes' code, run as written with only the import changed, on PyTorch and here, with equal results.

Each note's blocks lie beside this file. What a block leaves out, such as its data, is supplied; torchvision and
pandas are stood in for by a few lines each, and 'cuda' by the device there is.
"""

import os
import re
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy
import pytest
import torch
from sklearn import datasets

import rushlight
import rushlight.utils.data

HERE = Path(__file__).parent
MODULES = (torch, rushlight)


def block(note: str, index: int) -> str:
    """Return one fenced block of a note."""
    [path] = HERE.glob(f"{note}*.md")
    return re.findall(r"^```[ \t]*\w*[ \t]*\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)[index]


def run(module, source: str, **names) -> dict:
    """Run source with `module` for torch and everything that the notes take for granted imported."""
    source = source.replace("'cuda'", "'cpu'")
    if module is rushlight:
        source = source.replace("import torch", "import rushlight as torch").replace(
            "from torch.", "from rushlight."
        )
    data = module.utils.data
    namespace = {
        "__name__": "notes",
        "torch": module,
        "nn": module.nn,
        "optim": module.optim,
        "Tensor": module.Tensor,
        "Dataset": data.Dataset,
        "DataLoader": data.DataLoader,
        "device": "cpu",
        "numpy": numpy,
        **names,
    }
    module.manual_seed(0)
    exec(compile(source, "note", "exec"), namespace)  # noqa: S102
    return namespace


def run_both(note: str, *indices: int, supply=lambda module: {}) -> tuple[dict, dict]:
    """Run blocks one after another on PyTorch and here."""
    source = "\n".join(block(note, index) for index in indices)
    theirs, ours = (run(module, source, **supply(module)) for module in MODULES)
    return theirs, ours


def numbers(value):
    if hasattr(value, "detach"):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [numbers(one) for one in value]
    return value


def assert_close(theirs, ours, tolerance=1e-5):
    theirs, ours = numbers(theirs), numbers(ours)
    numpy.testing.assert_allclose(numpy.array(ours), numpy.array(theirs), rtol=tolerance, atol=tolerance)


def assert_same_parameters(theirs, ours, tolerance=1e-5):
    ours = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert_close(parameter, ours[name], tolerance)


def digits_like(module, count=64, features=(28, 28)):
    """Random images and labels, the same on both sides."""
    generator = module.Generator().manual_seed(1)
    images = module.rand(count, *features, generator=generator)
    return module.utils.data.TensorDataset(images, module.randint(0, 10, (count,), generator=generator))


def small_model(module):
    module.manual_seed(0)
    layers = OrderedDict(base=module.nn.Linear(4, 8), classifier=module.nn.Linear(8, 3))
    return module.nn.Sequential(layers)


# ---- 001


def test_pytorch_flow_data_model_training():
    data_block, model_block, flow_block = block("001", 1), block("001", 2), block("001", 0)

    def supply(module):
        transforms = types.SimpleNamespace(
            Compose=lambda steps: lambda image: steps[1](steps[0](image)),
            ToTensor=lambda: lambda image: image / 255,
            Normalize=lambda mean, std: lambda image: (image - mean[0]) / std[0],
        )
        generator = module.Generator().manual_seed(2)
        images = module.randint(0, 256, (100, 1, 28, 28), generator=generator).to(module.float32)
        labels = module.randint(0, 10, (100,), generator=generator)
        return {"transforms": transforms, "images": images, "labels": labels}

    results = []
    for module in MODULES:
        first = run(module, data_block, **supply(module))
        batches = list(first["loader"])
        assert [tuple(x.shape) for x, _ in batches] == [(32, 1, 28, 28)] * 3 + [(4, 1, 28, 28)]
        second = run(module, model_block)
        model_class, dataset = second["MyModel"], first["dataset"]
        flattened = module.utils.data.TensorDataset(dataset.images.reshape(100, -1) / 255, dataset.labels)
        names = {
            "MyDataset": lambda data: data,
            "data": flattened,
            "MyModel": lambda model_class=model_class: model_class(784, 128, 10),
            "x_test": flattened.tensors[0],
        }
        third = run(module, flow_block, **names)
        assert not third["model"].training
        results.append([batches[0][1], second["model"].fc1.weight, third["loss"], third["pred"]])
    for theirs, ours in zip(*results, strict=True):
        assert_close(theirs, ours, 1e-4)


def test_pytorch_flow_layers():
    theirs, ours = run_both(
        "001",
        3,
        supply=lambda module: {
            "in_features": 3,
            "out_features": 4,
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": 3,
            "features": 5,
        },
    )
    assert repr(ours["model"]) == repr(theirs["model"])
    assert_same_parameters(theirs["model"], ours["model"])
    x = numpy.random.default_rng(0).random((2, 784), dtype="float32")
    assert_close(theirs["model"](torch.from_numpy(x)), ours["model"](rushlight.from_numpy(x)))


LOSS_INPUTS = {
    "CrossEntropyLoss": ([[1.0, -2.0, 0.5], [0.1, 0.2, 0.3]], [2, 0]),
    "BCELoss": ([0.2, 0.9], [0.0, 1.0]),
    "BCEWithLogitsLoss": ([-2.0, 0.7], [0.0, 1.0]),
    "MSELoss": ([1.0, 2.0], [0.5, 4.0]),
    "L1Loss": ([1.0, 2.0], [0.5, 4.0]),
    "NLLLoss": ([[-1.0, -2.0, -0.5], [-0.1, -0.2, -0.3]], [2, 0]),
}


def test_pytorch_flow_losses():
    source = block("001", 4)
    names = re.findall(r"^nn\.(\w+)\(\)", source, re.MULTILINE)
    assert set(names) == set(LOSS_INPUTS)
    for module in MODULES:
        run(module, source)
    for name in names:
        prediction, target = LOSS_INPUTS[name]
        theirs, ours = (getattr(m.nn, name)()(m.tensor(prediction), m.tensor(target)) for m in MODULES)
        assert_close(theirs, ours)


def test_pytorch_flow_optimizers_and_scheduler():
    rates = []
    for module in MODULES:
        model = small_model(module)
        trained = []
        names = run(module, block("001", 5), model=model, epochs=25, train=trained.append)
        assert trained == [...] * 25
        rates.append(
            (names["optimizer"].param_groups[0]["lr"], names["optimizer"].param_groups[0]["weight_decay"])
        )
    assert rates[0] == rates[1]


def test_pytorch_flow_gradient_clipping():
    norms = []
    for module in MODULES:
        model = small_model(module)
        (model(module.ones(2, 4)).sum() * 10).backward()
        run(module, block("001", 6), model=model)
        norms.append(sum(parameter.grad.pow(2).sum() for parameter in model.parameters()).sqrt().item())
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)
    assert norms[1] == pytest.approx(1.0, rel=1e-3)


def test_pytorch_flow_tensors():
    """Lines that end in ``-> value`` are checked against that value."""
    source = re.sub(
        r"^(torch\..*?)\s+-> (.*)$", r"results.append((\1, \2))", block("001", 7), flags=re.MULTILINE
    )
    for module in MODULES:
        results = []
        array = numpy.arange(3.0)
        names = run(module, source, results=results, np_array=array, tensor=module.ones(2))
        assert len(results) == 4
        for value, expected in results:
            assert value.tolist() == expected
        assert names["x"].grad.tolist() == [2.0]
        module.from_numpy(array)[0] = 9
        assert array[0] == 9


def test_pytorch_flow_tensor_operators():
    lines = [line.partition("#")[0].strip() for line in block("001", 8).splitlines()]
    shapes = {"a": (2, 3, 4), "b": (2, 3, 4)}
    for line in filter(None, lines):
        if line == "a.T":
            shapes["a"] = (4, 6)
        elif line == "a @ b":
            shapes["b"] = (6, 4)
        elif line == "a * b":
            shapes["b"] = (4, 6)
        elif "stack" in line:
            shapes["a"] = shapes["b"] = (4, 6)
        results = []
        for module in MODULES:
            names = {
                name: module.arange(24.0).reshape(shape) + (name == "b") for name, shape in shapes.items()
            }
            results.append(run(module, f"result = {line}", **names)["result"])
        assert_close(*results)


def test_pytorch_flow_save_and_load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in MODULES:
        model = small_model(module)
        optimizer = module.optim.Adam(model.parameters())
        model(module.ones(2, 4)).sum().backward()
        optimizer.step()
        loss = module.tensor(0.5)
        names = {"model": model, "optimizer": optimizer, "epoch": 3, "loss": loss}
        names["MyModel"] = lambda *args, module=module: small_model(module)
        result = run(module, block("001", 9), **names)
        assert result["checkpoint"]["epoch"] == 3
        assert result["checkpoint"]["loss"].item() == 0.5
        assert not result["model"].training
        for ours, before in zip(result["model"].parameters(), model.parameters(), strict=True):
            assert ours.tolist() == before.tolist()
        other = rushlight if module is torch else torch
        assert other.load("checkpoint.pth")["loss"].item() == 0.5


# ---- 002


def test_quickstart_trains_as_pytorch(capsys):
    results = []
    for module in MODULES:
        names = run(module, block("002", 0) + block("002", 1))
        assert repr(names["model"]).splitlines()[0] == "NeuralNetwork("
        loader = module.utils.data.DataLoader(digits_like(module), batch_size=16, shuffle=True)
        module.manual_seed(0)
        names["train"](loader, names["model"], names["loss_fn"], names["optimizer"])
        results.append((capsys.readouterr().out, names["model"]))
    assert results[0][0] == results[1][0]
    assert re.fullmatch(r"loss: 2\.\d{6}  \[   16/   64\]\n", results[1][0])
    assert_same_parameters(results[0][1], results[1][1])


# ---- 003


def test_everything_first_tensor():
    code, _, expected = block("003", 0).partition("o/p:\n")
    for module in MODULES:
        assert repr(run(module, code)["a"]) == expected.strip()


def test_everything_attributes(capsys):
    texts = []
    for module in MODULES:
        run(module, block("003", 1))
        texts.append(capsys.readouterr().out.replace("rushlight.", "torch."))
    assert texts[0] == texts[1]
    assert texts[1].splitlines() == [
        "Shape of tensor: torch.Size([3, 4])",
        "Datatype of tensor: torch.float32",
        "Device tensor is stored on: cpu",
    ]


def test_everything_joining_and_products():
    for module in MODULES:
        lines = block("003", 2).splitlines()
        across = run(module, f"{lines[0]}\nresult = {lines[1]}")["result"]
        down = run(module, f"{lines[0]}\nresult = {lines[2]}")["result"]
        assert repr(across).startswith(
            "tensor([[1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.],\n        [1."
        )
        assert tuple(across.shape) == (4, 12)
        assert tuple(down.shape) == (12, 4)
        unfenced = "y1 = tensor @ tensor.T\ny2 = tensor.matmul(tensor.T)\nz1 = tensor * tensor\nz2 = tensor.mul(tensor)"
        names = run(module, lines[0] + "\n" + unfenced)
        assert names["y1"].tolist() == names["y2"].tolist() == [[4.0] * 4] * 4
        assert names["z1"].tolist() == names["z2"].tolist() == [[1.0] * 4] * 4


def test_everything_saving_points(tmp_path):
    source = """
torch.save(points, path)
with open(path, 'wb') as f:
    torch.save(points, f)
points = torch.load(path)
with open(path, 'rb') as f:
    points = torch.load(f)
points_gpu = torch.tensor([[1.0, 4.0], [2.0, 1.0], [3.0, 4.0]], device='cuda')
points_gpu = points.to(device='cuda')
data = wineq[:, :-1]
target = wineq[:, -1]
"""
    results = []
    for module in MODULES:
        points, wineq = module.tensor([[4.0, 1.0], [5.0, 3.0]]), module.arange(12.0).reshape(3, 4)
        names = run(module, source, points=points, path=str(tmp_path / "ourpoints.t"), wineq=wineq)
        results.append([names["points"], names["points_gpu"], names["data"], names["target"]])
    for theirs, ours in zip(*results, strict=True):
        assert_close(theirs, ours)


def test_everything_row_is_a_view():
    for module in MODULES:
        t1 = module.arange(12.0).reshape(4, 3)
        t2 = run(module, block("003", 3), t1=t1)["t2"]
        assert t2.untyped_storage().data_ptr() == t1.untyped_storage().data_ptr()
        assert (t2.storage_offset(), t2.stride()) == (6, (1,))
        t2[0] = -1
        assert t1[2, 0].item() == -1


class Table:
    """A few lines of pandas: rows of a file, indexed by [row, column]."""

    def __init__(self, path):
        self.rows = [line.split(",") for line in Path(path).read_text().splitlines()]
        self.iloc = self

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        value = self.rows[place[0]][place[1]]
        return int(value) if value.isdigit() else value


def test_everything_custom_dataset(tmp_path, monkeypatch):
    for index in range(3):
        (tmp_path / f"{index}.raw").write_bytes(bytes([index] * 4))
    (tmp_path / "labels.csv").write_text("0.raw,5\n1.raw,6\n2.raw,7\n")
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(read_csv=Table))
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    for module in MODULES:

        def read_image(path, module=module):
            return module.frombuffer(bytearray(Path(path).read_bytes()), dtype=module.uint8).reshape(1, 2, 2)

        monkeypatch.setitem(sys.modules, "torchvision.io", types.SimpleNamespace(read_image=read_image))
        names = run(module, block("003", 4))
        dataset = names["CustomImageDataset"](
            tmp_path / "labels.csv", os.fspath(tmp_path), lambda image: image * 2, lambda label: label + 1
        )
        loader = module.utils.data.DataLoader(dataset, batch_size=3)
        [(images, labels)] = loader
        assert images[:, 0, 0, 0].tolist() == [0, 2, 4]
        assert labels.tolist() == [6, 7, 8]


def test_everything_loaders():
    results = []
    for module in MODULES:
        data = digits_like(module, 100)
        names = run(module, block("003", 5), training_data=data, test_data=data)
        results.append([label for _, label in names["train_dataloader"]])
        assert len(names["test_dataloader"]) == 2
    for theirs, ours in zip(*results, strict=True):
        assert_close(theirs, ours)


PRINTED_NETWORK = """NeuralNetwork(
  (flatten): Flatten(start_dim=1, end_dim=-1)
  (linear_relu_stack): Sequential(
    (0): Linear(in_features=784, out_features=512, bias=True)
    (1): ReLU()
    (2): Linear(in_features=512, out_features=512, bias=True)
    (3): ReLU()
    (4): Linear(in_features=512, out_features=10, bias=True)
  )
)"""


def test_everything_network_prints_and_trains(capsys):
    results = []
    for module in MODULES:
        names = run(module, block("003", 6) + "model = NeuralNetwork().to(device)\nprint(model)")
        assert capsys.readouterr().out.strip() == PRINTED_NETWORK
        loops = run(module, block("003", 9) + block("003", 10), model=names["model"], batch_size=16)
        loader = module.utils.data.DataLoader(digits_like(module), batch_size=16, shuffle=True)
        module.manual_seed(0)
        for _ in range(3):
            loops["train_loop"](loader, names["model"], module.nn.CrossEntropyLoss(), loops["optimizer"])
            loops["test_loop"](loader, names["model"], module.nn.CrossEntropyLoss())
        results.append((capsys.readouterr().out, names["model"]))
    texts = [[float(number) for number in re.findall(r"\d+\.\d+", text)] for text, _ in results]
    assert len(texts[1]) == 9
    assert texts[1] == pytest.approx(texts[0], rel=1e-4)
    assert_same_parameters(results[0][1], results[1][1], 1e-4)


def test_everything_automatic_differentiation():
    theirs, ours = run_both("003", 7)
    assert_close(theirs["loss"], ours["loss"])
    for names in (theirs, ours):
        names["loss"].backward()
    assert_close(theirs["w"].grad, ours["w"].grad)
    assert_close(theirs["b"].grad, ours["b"].grad)
    theirs, ours = run_both("003", 7, 8)
    assert not ours["z"].requires_grad
    assert_close(theirs["z"], ours["z"])


@pytest.mark.parametrize("index", [10, 11])
def test_everything_sgd(index):
    results = []
    for module in MODULES:
        model = small_model(module)
        optimizer = run(module, block("003", index), model=model)["optimizer"]
        for _ in range(3):
            optimizer.zero_grad()
            model(module.ones(2, 4)).pow(2).sum().backward()
            optimizer.step()
        results.append(model)
    assert_same_parameters(*results)


def test_everything_parameter_groups():
    results = []
    for module in MODULES:
        model = small_model(module)
        first, second = block("003", 12).strip().split("\n\n")
        for source in (first, second):
            optimizer = run(module, "optimizer = " + source, model=model)["optimizer"]
            assert [group["lr"] for group in optimizer.param_groups] == [1e-2, 1e-3]
            assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]
        decayed = run(module, block("003", 13).replace("\noptim.SGD", "\noptimizer = optim.SGD"), self=model)
        assert [group["weight_decay"] for group in decayed["optimizer"].param_groups] == [1e-2, 0]
        assert len(decayed["bias_params"]) == len(decayed["others"]) == 2
        model(module.ones(2, 4)).pow(2).sum().backward()
        decayed["optimizer"].step()
        results.append(model)
    assert_same_parameters(*results)


def test_everything_optimizer_loop():
    results = []
    for module in MODULES:
        model = small_model(module)
        optimizer = module.optim.SGD(model.parameters(), lr=0.1)
        dataset = [(module.ones(2, 4) * step, module.zeros(2, 3)) for step in range(5)]
        names = {"model": model, "optimizer": optimizer, "loss_fn": module.nn.MSELoss(), "dataset": dataset}
        run(module, block("003", 14), **names)
        results.append(model)
    assert_same_parameters(*results)


def test_everything_model_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in MODULES:
        made = []

        def vgg16(weights=None, module=module, made=made):
            module.manual_seed(0 if weights else 1)
            made.append(
                module.nn.Sequential(module.nn.Conv2d(3, 4, 3), module.nn.Flatten(), module.nn.Linear(16, 2))
            )
            return made[-1]

        names = {"models": types.SimpleNamespace(vgg16=vgg16)}
        loaded = run(module, block("003", 15) + block("003", 16), **names)["model"]
        assert len(made) == 2
        for ours, saved in zip(loaded.parameters(), made[0].parameters(), strict=True):
            assert ours.tolist() == saved.tolist()
        whole = "torch.save(model, 'model.pth')\nmodel = torch.load('model.pth', weights_only=False),"
        [again] = run(module, whole, model=loaded)["model"]
        assert repr(again) == repr(loaded)
        assert again[2].weight.tolist() == loaded[2].weight.tolist()


# ---- 004


def test_autograd_first_gradient(capsys):
    run_both("004", 0)
    assert capsys.readouterr().out == "tensor(7.)\ntensor(7.)\n"


def test_autograd_linear_regression(capsys):
    theirs, ours = run_both("004", 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:10] == lines[10:]
    assert_close(theirs["w"], ours["w"])
    assert ours["w"].item() == pytest.approx(2.0, abs=0.1)
    assert ours["b"].item() == pytest.approx(1.0, abs=0.2)


def test_autograd_by_hand(capsys):
    source = "".join(block("004", index) for index in (2, 3, 4))
    for module in MODULES:
        names = run(module, source)
        assert names["pre_weight"] == pytest.approx(5.0, abs=0.01)
        assert names["pre_bias"] == pytest.approx(1.0, abs=0.01)
    # The same by our tensors, through NumPy and back.
    X = rushlight.from_numpy(numpy.array([1, 2, 3, 4, 5], dtype=numpy.float32))
    Y = rushlight.from_numpy(numpy.array([6, 11, 16, 21, 26], dtype=numpy.float32))
    assert names["loss"](names["forward"](X, 5.0, 1.0), Y).item() == pytest.approx(0.0, abs=1e-9)


# ---- same seed, same losses


def enlarged_digits(module):
    """The handwritten digits at the size that the notes' network reads."""
    scans = datasets.load_digits()
    enlarged = numpy.kron(scans.images / 16, numpy.ones((1, 3, 3)))
    images = numpy.pad(enlarged, ((0, 0), (2, 2), (2, 2))).astype(numpy.float32)
    return module.utils.data.TensorDataset(module.from_numpy(images), module.from_numpy(scans.target))


def losses(module, optimizer_name, **options):
    network = run(module, block("002", 0))
    module.manual_seed(0)
    model = network["NeuralNetwork"]()
    optimizer = getattr(module.optim, optimizer_name)(model.parameters(), **options)
    loader = module.utils.data.DataLoader(enlarged_digits(module), batch_size=64, shuffle=True)
    loss_fn, values = module.nn.CrossEntropyLoss(), []
    while len(values) < 100:
        for X, y in loader:
            loss = loss_fn(model(X), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            values.append(loss.item())
    return values[:100]


# At ten times these rates a rounding error decides which units die, and PyTorch's losses differ by a percent between
# its own instruction sets.
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("SGD", {"lr": 1e-3}),
        ("SGD", {"lr": 1e-3, "momentum": 0.9}),
        ("Adam", {"lr": 1e-4}),
        ("AdamW", {"lr": 1e-4, "weight_decay": 0.01}),
    ],
    ids=str,
)
def test_same_seed_same_losses_for_100_steps(optimizer, options):
    theirs, ours = (losses(module, optimizer, **options) for module in MODULES)
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert ours[-1] < ours[0]
