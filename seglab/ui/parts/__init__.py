"""The parts of the page, one a file: what it shows, and what it does."""
