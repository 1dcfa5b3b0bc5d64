"""Pages for: everybody. The first page, the public book, one order by its id."""
