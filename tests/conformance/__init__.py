"""Clauses of the standard, asked of the whole portal; a test's name says the clause."""
