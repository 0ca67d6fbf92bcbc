"""How numbers and their nouns read in a message."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 photo`, `2,000 photos`; `many` where an s is not all."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
