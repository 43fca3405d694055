"""Unified Procedure Steps (PS3.4 CC): work items, who works on them, and who is told of it."""
