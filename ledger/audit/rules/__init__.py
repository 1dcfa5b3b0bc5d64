"""What each contract's events must obey: one file a contract, one method an event."""
