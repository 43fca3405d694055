"""How it is read: one read path, and the forms in which instances are given."""
