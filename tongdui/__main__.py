"""``python -m tongdui``: the command line."""

from tongdui.cli.main import main

if __name__ == "__main__":
    main()
