"""`python -m mockserver`, and the command `genstudio-mock`."""

import _signal  # type: ignore[import-not-found]  # all that `signal` is made of, and there before any file of Python's is read


def run() -> None:
    """The entry point: until the command line is imported Ctrl-C ends the process as SIGTERM does, without a word.

    Nothing is begun by then that would have to be tidied up, and an interrupt that Python makes of it is a traceback.
    """
    before = _signal.getsignal(_signal.SIGINT)
    handled = before is _signal.default_int_handler  # a shell's `&` lets SIGINT be ignored, which stays so
    if handled:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from mockserver.cli import run as command

    if handled:
        _signal.signal(_signal.SIGINT, before)
    command()


if __name__ == "__main__":
    run()
