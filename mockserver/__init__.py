"""genstudio-mock: GenStudio's M×N chat endpoint on a laptop and in CI."""

__version__ = "0.1.0"
