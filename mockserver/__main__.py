"""`python -m mockserver`."""

from mockserver.cli import run

if __name__ == "__main__":
    run()
