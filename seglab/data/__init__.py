"""Where images and masks come from, one file per source; `seglab.config` finds them."""
