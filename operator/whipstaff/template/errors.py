"""What goes wrong in a template.

TemplateError(template, line, column)  what leaves the engine; its text is Helm's
 `- LimitExceeded                      steps, output, depth or time ran out
FunctionError                          a function failed; the engine adds "error calling NAME: "
EvalError                              an evaluation failed; the engine adds the position
"""

from __future__ import annotations


class FunctionError(Exception):
    """A template function failed; the text is what Helm shows after `error calling NAME: `.

    `method` is its name if it was no function but a method, which only the runtime knows.
    """

    method = ""


class EvalError(Exception):
    """An expression could not be evaluated; `site` overrides the place that the code is at.

    It is a number in compiled code, a node in what is interpreted.
    """

    def __init__(self, text: str, site: object = None) -> None:
        super().__init__(text)
        self.site = site


class TemplateError(Exception):
    """A template could not be parsed or executed; `str` is the text that Helm prints.

    `line` and `column` are those of Go's own message: the line from 1, the column in bytes from 0;
    0 where unknown.
    """

    def __init__(self, text: str, template: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.template = template
        self.line = line
        self.column = column


class LimitExceeded(TemplateError):
    """Rendering took more steps, output, depth or time than its limits allow."""
