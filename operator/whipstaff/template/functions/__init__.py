"""The functions that a template may call, one module per family, joined in `catalogue`.

A function takes and returns Go values (`whipstaff.golang.values`) and fails with `FunctionError`.
"""
