"""Special functions: rushlight.special, with the names that native operators have here too."""

import rushlight as _rushlight
from rushlight.ops import registry as _registry, special_functions as _special_functions  # noqa: F401

_NATIVE = {
    "digamma": "digamma",
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "exp2": "exp2",
    "expit": "sigmoid",
    "expm1": "expm1",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "gammaln": "lgamma",
    "i0": "i0",
    "log1p": "log1p",
    "log_softmax": "log_softmax",
    "logit": "logit",
    "logsumexp": "logsumexp",
    "multigammaln": "mvlgamma",
    "polygamma": "polygamma",
    "psi": "digamma",
    "round": "round",
    "sinc": "sinc",
    "softmax": "softmax",
    "xlogy": "xlogy",
}

# Operators that only this namespace has: special_entr and so on.
_PREFIX = "special_"

_found = {
    name: getattr(_rushlight, native) for name, native in _NATIVE.items() if hasattr(_rushlight, native)
} | {
    name.removeprefix(_PREFIX): getattr(_rushlight._C, name)
    for name in dir(_rushlight._C)
    if name.startswith(_PREFIX) and not name.endswith("_")
}
globals().update(_found | _registry.namespace("special"))
__all__ = sorted({*_found, *_registry.namespace("special")})
