"""Render the templates of one chart, and say where they fail."""

from collections.abc import Mapping
from types import TracebackType

from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import TemplateSyntaxError

from whipstaff.jinja.environment import TPL, Environment, Loader, Meter
from whipstaff.template.engine import Budget
from whipstaff.template.errors import EvalError, LimitExceeded, TemplateError
from whipstaff.template.scope import RenderScope


class ChartTemplates:
    """The templates of one chart."""

    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        """`sources` goes from the name that `import` and `include` use to path and text."""
        self._loader = Loader(sources)
        self._sources = dict(sources.values())

    def render(
        self, path: str, data: Mapping[str, object], scope: RenderScope, budget: Budget
    ) -> str:
        """Return what the template at a path prints of the objects in `data`, by their names.

        TemplateError names file and line, LimitExceeded what there was too much of.
        """
        environment = Environment(self._loader, data, Meter(scope, budget))
        try:
            compiled = environment.template(path, self._sources[path])
            return environment.concat(compiled.root_render_func(compiled.new_context()))
        except (MemoryError, SystemError):
            raise  # only who set the limit can say how much it was
        except RecursionError as error:
            text = "templates or values are nested too deeply"
            raise _limit(text, path, error) from error
        except LimitExceeded as error:
            raise _limit(str(error), path, error) from error
        except TemplateSyntaxError as error:
            where = error.name or path
            text = f"{where}:{error.lineno}: {error.message}"
            raise TemplateError(text, where, error.lineno) from error
        except SyntaxError as error:
            # What Jinja2 made of the template nests deeper than Python takes.
            raise _limit("the template is nested too deeply", path, error) from error
        except Exception as error:
            where, line = _place(error, path)
            raise TemplateError(f"{where}:{line}: {_said(error)}", where, line) from error


def _limit(text: str, path: str, error: Exception) -> LimitExceeded:
    where, line = _place(error, path)
    place = f"{where}:{line}" if line else where
    return LimitExceeded(f"{place}: {text}", where, line)


def _said(error: Exception) -> str:
    match error:
        case EvalError() | JinjaError() | TypeError():
            return str(error)
        case _:
            return type(error).__name__  # its text may hold values


def _place(error: Exception, path: str) -> tuple[str, int]:
    """Return the file and line of the innermost template that was at work; a text has none."""
    where, line = path, 0
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None and template.name != TPL:
            where, line = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return where, line
