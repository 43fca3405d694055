"""What is asked: the rows of studies, series and instances, and searches in them."""
