"""Every test of this folder runs on PyTorch and on Rushlight: what it asserts is what PyTorch does."""

import pytest
import torch as pytorch

import rushlight


@pytest.fixture(params=[pytorch, rushlight], ids=["pytorch", "rushlight"])
def torch(request):
    return request.param
