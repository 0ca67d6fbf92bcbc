"""Everything that a user can cause to go wrong, under one root.

LookalikeError
├── PhotoError        one photo cannot be used; never stops a run
├── CollectionError   the photo folder is missing, empty, too small or gone
├── ConfigError       an option or a configuration file is wrong
├── RunError          a run folder exists, is missing, or does not fit the options
├── WeightsError      starting weights cannot be had or are not what they should be
├── EncoderError      an encoder file is unreadable or breaks its contract
├── GalleryError      a gallery is missing, damaged, locked or does not fit its encoder
├── LabelError        a class name, a file of labels or a classifier cannot be used
├── MemoryShortage    an option asks for more memory than there is
├── StorageError      a disk is full, a folder is read-only
└── Interrupted       stopped on request; what was done is kept and can be resumed
"""


class LookalikeError(Exception):
    """An error the user can act on: what was found, what was expected, and what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PhotoError(LookalikeError):
    """One photo cannot be used; `message` is the reason listed beside its path."""


class CollectionError(LookalikeError):
    """The photo folder is missing, empty, too small or vanished."""


class ConfigError(LookalikeError):
    """An option or a configuration file holds a value that cannot be used."""


class RunError(LookalikeError):
    """A run folder exists already, is missing, or does not fit what was asked."""


class WeightsError(LookalikeError):
    """Starting weights cannot be found, fetched or verified."""


class EncoderError(LookalikeError):
    """An encoder file is unreadable, damaged, or breaks its contract."""


class GalleryError(LookalikeError):
    """A gallery is missing, damaged, locked, or does not fit its encoder."""


class LabelError(LookalikeError):
    """A class name, a file of labels or a classifier cannot be used."""


class MemoryShortage(LookalikeError):
    """The machine has not enough memory for what was asked."""


class StorageError(LookalikeError):
    """A disk is full or a folder cannot be written."""


class Interrupted(LookalikeError):
    """Stopped on request; what was finished is kept and the hint says how to go on."""
