"""Words drawn: maps, analogies, a page to search."""
