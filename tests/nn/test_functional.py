"""What `nn.functional` says of bad input, against PyTorch; values and gradients are tests/parity's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.outcomes import assert_same


def matrix(m: Any) -> Any:
    return m.linspace(-1, 2, 12).reshape(3, 4)


def image(m: Any) -> Any:
    return m.linspace(-1, 2, 32).reshape(1, 2, 4, 4)


def f(m: Any) -> Any:
    return m.nn.functional


CASES = {
    # losses
    "cross_entropy class": lambda m: f(m).cross_entropy(matrix(m), m.tensor([0, 1, 9])),
    "cross_entropy batch": lambda m: f(m).cross_entropy(matrix(m), m.tensor([0, 1])),
    "cross_entropy reduction": lambda m: f(m).cross_entropy(matrix(m), m.tensor([0, 1, 2]), reduction="foo"),
    "nll_loss batch": lambda m: f(m).nll_loss(matrix(m), m.tensor([0, 1])),
    "nll_loss class": lambda m: f(m).nll_loss(matrix(m), m.tensor([0, 1, -1])),
    "mse_loss sizes": lambda m: f(m).mse_loss(matrix(m), matrix(m)[:1]),
    "mse_loss reduction": lambda m: f(m).mse_loss(matrix(m), matrix(m), reduction="foo"),
    "mse_loss weight": lambda m: f(m).mse_loss(matrix(m), matrix(m), weight=matrix(m)[0]),
    "mse_loss older": lambda m: f(m).mse_loss(matrix(m), matrix(m), size_average=False),
    "l1_loss sizes": lambda m: f(m).l1_loss(m.arange(12.0).reshape(3, 4), m.arange(4.0).reshape(1, 4)),
    "smooth_l1_loss beta": lambda m: f(m).smooth_l1_loss(matrix(m), matrix(m), beta=-1),
    "huber_loss delta": lambda m: f(m).huber_loss(matrix(m), matrix(m), delta=0),
    "binary_cross_entropy range": lambda m: f(m).binary_cross_entropy(matrix(m), matrix(m)),
    "binary_cross_entropy sizes": lambda m: f(m).binary_cross_entropy(m.rand(2), m.rand(3)),
    "binary_cross_entropy_with_logits sizes": lambda m: f(m).binary_cross_entropy_with_logits(
        matrix(m), matrix(m)[0]
    ),
    "kl_div mean": lambda m: f(m).kl_div(m.zeros(2, 2), m.ones(2, 2)),
    "kl_div reduction": lambda m: f(m).kl_div(m.zeros(2), m.ones(2), reduction="foo"),
    "margin_ranking_loss dims": lambda m: f(m).margin_ranking_loss(matrix(m), matrix(m), matrix(m)[0]),
    "cosine_embedding_loss dims": lambda m: f(m).cosine_embedding_loss(matrix(m)[0], matrix(m)[0], m.ones(1)),
    "cosine_embedding_loss targets": lambda m: f(m).cosine_embedding_loss(matrix(m), matrix(m), m.ones(1, 1)),
    "multi_margin_loss class": lambda m: f(m).multi_margin_loss(matrix(m), m.tensor([0, 1, 9])),
    "multi_margin_loss power": lambda m: f(m).multi_margin_loss(matrix(m), m.tensor([0, 1, 2]), p=3),
    "multi_margin_loss sizes": lambda m: f(m).multi_margin_loss(matrix(m), m.tensor([0, 1])),
    "multi_margin_loss weight": lambda m: f(m).multi_margin_loss(
        matrix(m), m.tensor([0, 1, 2]), weight=m.ones(2)
    ),
    "multilabel_margin_loss sizes": lambda m: f(m).multilabel_margin_loss(matrix(m), m.tensor([0, 1, 2])),
    "triplet_margin_loss dims": lambda m: f(m).triplet_margin_loss(matrix(m), matrix(m), matrix(m)[0]),
    "triplet_margin_loss margin": lambda m: f(m).triplet_margin_loss(
        matrix(m), matrix(m), matrix(m), margin=-1
    ),
    "gaussian_nll_loss negative": lambda m: f(m).gaussian_nll_loss(matrix(m), matrix(m), -1.0),
    "gaussian_nll_loss sizes": lambda m: f(m).gaussian_nll_loss(matrix(m), matrix(m), m.ones(3, 2)),
    "gaussian_nll_loss reduction": lambda m: f(m).gaussian_nll_loss(
        matrix(m), matrix(m), 1.0, reduction="foo"
    ),
    "ctc_loss lengths": lambda m: f(m).ctc_loss(m.zeros(5, 2, 4), m.ones(2, 3).long(), (5,), (2, 3)),
    "ctc_loss blank": lambda m: f(m).ctc_loss(m.zeros(5, 2, 4), m.ones(2, 3).long(), (5, 5), (2, 3), blank=7),
    "ctc_loss long": lambda m: f(m).ctc_loss(m.zeros(5, 2, 4), m.ones(2, 3).long(), (6, 5), (2, 3)),
    # activations and dropout
    "softmax without dim": lambda m: f(m).softmax(m.zeros(2, 2)),
    "glu odd": lambda m: f(m).glu(matrix(m)[:, :3]),
    "glu of number": lambda m: f(m).glu(m.ones(())),
    "hardtanh order": lambda m: f(m).hardtanh(matrix(m), 3, 1),
    "dropout probability": lambda m: f(m).dropout(matrix(m), 2),
    "dropout1d dims": lambda m: f(m).dropout1d(m.ones(3)),
    "dropout2d dims": lambda m: f(m).dropout2d(m.ones(2, 3, 4), p=0.0),
    "feature_alpha_dropout dims": lambda m: f(m).feature_alpha_dropout(m.ones(3), training=True),
    # normalization
    "batch_norm of one": lambda m: f(m).batch_norm(m.ones(1, 3), None, None, training=True),
    "group_norm of one": lambda m: f(m).group_norm(m.ones(1, 4), 4),
    "instance_norm of one": lambda m: f(m).instance_norm(m.ones(1, 4, 1)),
    "local_response_norm dims": lambda m: f(m).local_response_norm(matrix(m), 3),
    # resampling and padding
    "interpolate nothing": lambda m: f(m).interpolate(image(m)),
    "interpolate both": lambda m: f(m).interpolate(image(m), 3, 2),
    "interpolate sizes": lambda m: f(m).interpolate(image(m), (3, 2, 2)),
    "interpolate scales": lambda m: f(m).interpolate(image(m), scale_factor=(2, 2, 2)),
    "interpolate mode": lambda m: f(m).interpolate(image(m), 3, mode="foo"),
    "interpolate mode of other rank": lambda m: f(m).interpolate(image(m), 3, mode="linear"),
    "interpolate corners": lambda m: f(m).interpolate(image(m), 3, align_corners=True),
    "interpolate to nothing": lambda m: f(m).interpolate(image(m), 0),
    "interpolate antialias": lambda m: f(m).interpolate(image(m), 3, antialias=True),
    "pad odd": lambda m: f(m).pad(image(m), (1,)),
    "pad long": lambda m: f(m).pad(image(m), (1,) * 10),
    "pad mode": lambda m: f(m).pad(image(m), (1, 1), mode="foo"),
    "pad reflect far": lambda m: f(m).pad(image(m), (9, 1, 1, 1), mode="reflect"),
    "pad circular far": lambda m: f(m).pad(image(m), (9, 1, 1, 1), mode="circular"),
    "pad reflect value": lambda m: f(m).pad(image(m), (1, 1, 1, 1), mode="reflect", value=2),
    "pad reflect rank": lambda m: f(m).pad(image(m), (1, 1), mode="reflect"),
    "grid_sample mode": lambda m: f(m).grid_sample(image(m), m.zeros(1, 3, 3, 2), mode="foo"),
    "grid_sample padding": lambda m: f(m).grid_sample(image(m), m.zeros(1, 3, 3, 2), padding_mode="foo"),
    "grid_sample batch": lambda m: f(m).grid_sample(image(m), m.zeros(2, 3, 3, 2), align_corners=True),
    "grid_sample last": lambda m: f(m).grid_sample(image(m), m.zeros(1, 3, 3, 3), align_corners=True),
    "grid_sample dtype": lambda m: f(m).grid_sample(
        image(m), m.zeros(1, 3, 3, 2).double(), align_corners=True
    ),
    "affine_grid theta": lambda m: f(m).affine_grid(m.zeros(1, 2, 2), [1, 1, 2, 2], align_corners=True),
    "affine_grid rank": lambda m: f(m).affine_grid(m.zeros(1, 2, 3), [1, 1, 2], align_corners=True),
    # linear maps, embeddings, rearrangement
    "bilinear sizes": lambda m: f(m).bilinear(matrix(m), matrix(m), m.ones(1, 3, 4)),
    "embedding padding": lambda m: f(m).embedding(m.tensor([0, 1]), matrix(m), padding_idx=9),
    "embedding_bag offsets": lambda m: f(m).embedding_bag(m.tensor([0, 1]), matrix(m)),
    "embedding_bag mode": lambda m: f(m).embedding_bag(
        m.tensor([0, 1]), matrix(m), m.tensor([0]), mode="foo"
    ),
    "embedding_bag weights": lambda m: f(m).embedding_bag(
        m.tensor([0, 1]), matrix(m), m.tensor([0]), mode="max", per_sample_weights=m.ones(2)
    ),
    "one_hot dtype": lambda m: f(m).one_hot(matrix(m)),
    "one_hot negative": lambda m: f(m).one_hot(m.tensor([-1])),
    "one_hot classes": lambda m: f(m).one_hot(m.tensor([3]), 2),
    "one_hot empty": lambda m: f(m).one_hot(m.tensor([], dtype=m.int64)),
    "unfold kernel": lambda m: f(m).unfold(image(m), 9),
    "fold kernel": lambda m: f(m).fold(matrix(m)[None], (3, 3), 2),
    "channel_shuffle dims": lambda m: f(m).channel_shuffle(matrix(m), 2),
    "pixel_shuffle channels": lambda m: f(m).pixel_shuffle(image(m), 2),
    "pixel_unshuffle size": lambda m: f(m).pixel_unshuffle(image(m), 3),
    "pdist dims": lambda m: f(m).pdist(m.ones(3)),
    "pdist power": lambda m: f(m).pdist(matrix(m), -1),
    "cosine_similarity integers": lambda m: f(m).cosine_similarity(matrix(m).long(), matrix(m).long()),
    "max_unpool2d index": lambda m: f(m).max_unpool2d(image(m), m.full((1, 2, 4, 4), 99), 2),
    "max_unpool2d size": lambda m: f(m).max_unpool2d(
        image(m), m.zeros(1, 2, 4, 4).long(), 2, output_size=(1, 1)
    ),
    "fractional_max_pool2d": lambda m: f(m).fractional_max_pool2d(image(m), 2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input(case: Callable[[Any], Any]) -> None:
    assert_same(case)
