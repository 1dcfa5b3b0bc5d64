"""The embedded engine: Anvil as a child process, blocks made by us and journaled before they are called final."""
