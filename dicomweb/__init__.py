"""Translation of PS3.18 to and from the archive; no state of its own."""
