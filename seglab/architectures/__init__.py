"""The networks, one file per family; `seglab.config` finds them."""
