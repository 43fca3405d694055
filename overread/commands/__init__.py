"""What the command line does: one module a subject; `overread.cli` has the commands and their options."""
