"""How fast issuance is: the whole pipeline, and beside it what one transaction a mint would give."""
