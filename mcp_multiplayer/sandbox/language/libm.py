"""Numbers that two machines calculate alike.

What a C library answers to exp or sin differs from the next one's in the last digits, and
so does ``**`` of floats. Bots get twelve digits of them, which do not differ. Addition,
multiplication, division and square root are exact everywhere (IEEE 754) and stay as they are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

#: Of ``math``; `sandbox/language/imports.py` says which names of it there are at all.
_MATH = (
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "cos",
    "cosh",
    "dist",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "gamma",
    "hypot",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "pow",
    "sin",
    "sinh",
    "tan",
    "tanh",
)


def settled(value: Any) -> Any:
    """The number to twelve digits if it is a float, else what it is."""
    if type(value) is float:
        return float(f"{value:.12g}")
    if type(value) is complex:
        return complex(settled(value.real), settled(value.imag))
    return value


def power(base: Any, exponent: Any, *modulus: Any) -> Any:
    """``base ** exponent`` and ``pow``."""
    return settled(pow(base, exponent, *modulus))


def math_names() -> dict[str, Any]:
    """What of ``math`` depends on the C library."""
    return {name: _settling(getattr(math, name)) for name in _MATH if hasattr(math, name)}


def _settling(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return settled(function(*args, **kwargs))

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


class Settling(random.Random):
    """``random.Random`` whose distributions come out alike everywhere."""

    betavariate = _settling(random.Random.betavariate)
    expovariate = _settling(random.Random.expovariate)
    gammavariate = _settling(random.Random.gammavariate)
    gauss = _settling(random.Random.gauss)
    lognormvariate = _settling(random.Random.lognormvariate)
    normalvariate = _settling(random.Random.normalvariate)
    paretovariate = _settling(random.Random.paretovariate)
    vonmisesvariate = _settling(random.Random.vonmisesvariate)
    weibullvariate = _settling(random.Random.weibullvariate)
