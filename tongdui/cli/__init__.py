"""The command line ``tongdui``, one module for each group of commands; `tongdui.cli.main` puts them together."""
