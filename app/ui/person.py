"""Whose labels the app stores."""

import getpass


def who() -> str:
    """The name under which this computer's user labels; undo goes by it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "someone"
