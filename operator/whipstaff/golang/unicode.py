"""Go's view of characters: one character maps to one, and white space is Unicode's property."""

from unicodedata import category

SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
REPLACEMENT = "\ufffd"


def is_space(char: str) -> bool:
    """Whether it is white space."""
    return char in SPACES


def is_upper(char: str) -> bool:
    """Whether it is an upper-case letter."""
    return category(char) == "Lu"


def is_lower(char: str) -> bool:
    """Whether it is a lower-case letter."""
    return category(char) == "Ll"


def is_title(char: str) -> bool:
    """Whether it is a title-case letter."""
    return category(char) == "Lt"


def is_letter(char: str) -> bool:
    """Whether it is a letter."""
    return category(char)[0] == "L"


def is_digit(char: str) -> bool:
    """Whether it is a decimal digit of any script."""
    return category(char) == "Nd"


def is_number(char: str) -> bool:
    """Whether it is a number of any kind."""
    return category(char)[0] == "N"


def is_punctuation(char: str) -> bool:
    """Whether it is punctuation."""
    return category(char)[0] == "P"


def to_upper(char: str) -> str:
    """The simple upper case: Python's own may be several characters, as in `ß`."""
    upper = char.upper()
    return upper if len(upper) == 1 else to_title(char)


def to_lower(char: str) -> str:
    """The simple lower case of one character."""
    return char.lower()[0]


def to_title(char: str) -> str:
    """The simple title case of one character."""
    title = char.title()
    return title if len(title) == 1 else char


def upper_text(text: str) -> str:
    """strings.ToUpper: character by character."""
    return text.upper() if text.isascii() else "".join(map(to_upper, runes(text)))


def lower_text(text: str) -> str:
    """strings.ToLower: character by character, so a final sigma is nothing special."""
    return text.lower() if text.isascii() else "".join(map(to_lower, runes(text)))


def title_text(text: str) -> str:
    """strings.Title: the first letter after anything that separates words."""
    result = []
    previous = " "
    for char in runes(text):
        result.append(to_title(char) if _separates(previous) else char)
        previous = char
    return "".join(result)


def _separates(char: str) -> bool:
    if char.isascii():
        return not (char.isalnum() or char == "_")
    return not (is_letter(char) or is_digit(char)) and is_space(char)


def runes(text: str) -> str:
    """The text as Go's []rune sees it: each byte that is no UTF-8 is U+FFFD."""
    if text.isascii():
        return text
    return "".join(REPLACEMENT if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)  # noqa: PLR2004  as Go has it
