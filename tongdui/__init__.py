"""The program: settings, the composition root, workers, and the command line ``tongdui``."""
