"""The verbs of every room as they are typed: they read arguments, call the room and print; nothing more."""
