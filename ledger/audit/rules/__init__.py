"""What each contract's events must obey: one file a duty, one method an event."""
