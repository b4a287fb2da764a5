"""The techniques, one file per kind; `seglab.config` finds them."""
