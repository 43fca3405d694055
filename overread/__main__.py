"""`python -m overread` is the command `overread`."""

from overread.cli import main

main()
