"""A piece made to be heard and seen: sound, piano roll, engraved score."""
