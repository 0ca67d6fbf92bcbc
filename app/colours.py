"""Colours that tell classes apart: the same class has the same one on every page."""

# Told apart by hue and by lightness, for people who see fewer hues too; each has at least 3:1
# against the light and the dark background (a test holds it). Colour never speaks alone: a name
# stands beside it wherever it is used.
PALETTE = (
    "#2f74d0",
    "#d4581a",
    "#158a5b",
    "#a04fd0",
    "#b07a00",
    "#d6336c",
    "#0c8ba3",
    "#976a3d",
    "#6a6fe0",
    "#648c14",
    "#c0453c",
    "#b351a5",
)

# What belongs to no class, or to one too small to have a colour of its own.
GREY = "#7b8594"


def colour_of(number: int) -> str:
    """The colour of the class made as number `number`, from 0; they repeat after twelve."""
    return PALETTE[number % len(PALETTE)]
