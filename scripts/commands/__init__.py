"""The commands of ``python -m scripts``, one module each."""
