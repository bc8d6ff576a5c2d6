"""What the suite rightly expects and does not get: faults of ours, or of what we stand on.

An entry goes when its fault goes: the tests fail when it passes.
"""

FAULTS = {
    "http-header-validation:sep-2243-server-accepts-whitespace-header-value": (
        "httptools leaves blanks at the end of a header's value, and neither process drops them,"
        " so the value is not the one in the body (RFC 9110 §5.5)"
    ),
}
