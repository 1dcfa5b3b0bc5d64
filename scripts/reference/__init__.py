"""Pages and schemas that are generated from the code, so that they cannot say anything else than the code does."""
