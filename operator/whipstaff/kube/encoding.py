"""Bodies of requests as the API server reads them."""

import json
import re

_ESCAPED_FOR_YAML = "[\x7f-\uffff]"  # milliseconds to compile, which most commands do without


def encoded(body: object) -> bytes:
    r"""Write JSON that the API server reads as YAML too, which is what it takes an apply for.

    YAML has no pairs of surrogates (\ud83d\ude00), and folds line separators that are not escaped.
    """
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    if not text.isascii():
        text = re.sub(_ESCAPED_FOR_YAML, lambda found: f"\\u{ord(found[0]):04x}", text)
    return text.encode()
