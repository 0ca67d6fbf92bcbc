"""The scripts and styles that lie beside the components, and how they are put together."""

from importlib.resources import files


def beside(*names: str) -> str:
    """The text of some files of this folder, one after the other: a component is one script."""
    folder = files("app.ui.components")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
