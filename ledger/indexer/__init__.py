"""From final blocks to tables: read, decode, project in bulk; undo what was reorganised; rebuild from nothing."""
