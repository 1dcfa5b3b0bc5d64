"""Keys: who signs, where secrets lie, and what is destroyed when somebody is erased."""
