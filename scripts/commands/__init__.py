"""One module for each group of commands; `scripts.cli` puts them together."""
