"""What is wrong with an instruction; the caller says which one it is."""


class InstructionError(Exception):
    """An instruction that cannot be followed; the text says why and holds no value."""
