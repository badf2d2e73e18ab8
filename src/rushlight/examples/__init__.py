"""Programs that show what Rushlight does: run them with ``python -m rushlight.examples.<name>``."""
