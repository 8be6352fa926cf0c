"""Go's text/template as Helm 4 ships it, compiled to Python.

Templates reach plain data and the function table only: no Python attribute, no file, no network, no
clock of their own. Everything with an effect comes in through the `RenderScope`.
"""
