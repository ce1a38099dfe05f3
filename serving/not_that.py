"""What is wrong with a cell."""


class NotThat(ValueError):
    """A cell that is not what was expected, which the message names."""
