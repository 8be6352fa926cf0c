"""TOML as Helm reads and writes it: BurntSushi's library, on maps, lists and scalars."""

from whipstaff.golang.toml_reader import load
from whipstaff.golang.toml_writer import TOMLError, TOMLPanic, dump

__all__ = ["TOMLError", "TOMLPanic", "dump", "load"]
