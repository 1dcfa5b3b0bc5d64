"""Every parser that reads what strangers send, given anything: it may refuse, in words, and nothing else."""
