"""What people and machines run: the command line, the compiler, the demo. The top layer: nothing imports it."""
