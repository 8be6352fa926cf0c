"""JSON as Go's encoding/json writes and reads it."""

from whipstaff.golang.json_reader import load, load_list, load_map
from whipstaff.golang.json_values import JSONError, quoted
from whipstaff.golang.json_writer import dump, dump_indent, dump_raw

__all__ = [
    "JSONError",
    "dump",
    "dump_indent",
    "dump_raw",
    "load",
    "load_list",
    "load_map",
    "quoted",
]
