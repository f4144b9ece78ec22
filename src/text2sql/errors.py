"""The one exception that means "the user can fix this"."""


class UserError(Exception):
    """A mistake or a missing thing on the user's side.

    The message is one line that names what is wrong and what to do; the command line prints it
    without a traceback and exits with status 2. Any other exception is a defect of ours.
    """
