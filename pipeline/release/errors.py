"""What goes wrong while a release is under way; a wrong command line is `trainer.errors.ConfigError`."""

from trainer.errors import TapelineError


class ReleaseError(TapelineError):
    """A server, the cluster or the disk did not do what was asked; the message says what is served now."""


class ChangedError(ReleaseError):
    """Somebody else has changed the config since it was read; nothing was written."""
