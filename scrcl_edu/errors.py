"""The errors that a user can meet. Each message names the value, what is allowed, and the fix."""


class ScrclError(Exception):
    """Base of every error that scrcl_edu raises on purpose; its message is meant for the user."""


class DataError(ScrclError, ValueError):
    """The matrix, its annotations or a file's content cannot be used as they are."""


class SettingsError(ScrclError, ValueError):
    """A setting is out of its range, unknown, or does not go with the others."""


class InputFileError(ScrclError, OSError):
    """A file or folder is missing, damaged, or of a kind that is not understood."""


class OutputError(ScrclError, OSError):
    """A result cannot be written where it was asked for."""


class DownloadError(ScrclError, OSError):
    """No source of a dataset gave the file that was promised."""


class CheckpointError(ScrclError, ValueError):
    """A checkpoint is damaged or belongs to other data, settings or another version."""


class TrainingError(ScrclError, RuntimeError):
    """Training cannot go on: a loss is not finite or the device is out of memory."""


class EvaluationError(ScrclError, ValueError):
    """Labels and clusters cannot be compared."""


class DataNote(UserWarning):
    """Something was done to the data, or not used, that its owner may want to know; the fit goes on."""


class Stopped(KeyboardInterrupt):
    """A signal, SIGINT (Ctrl-C) or SIGTERM, ended the work; its number is `signal`."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal
