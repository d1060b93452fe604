"""The command line: one file a command; it parses, calls the library, prints; no numerics."""
