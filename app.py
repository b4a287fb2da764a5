"""The entry point: builds the page and serves it on http://127.0.0.1:7860."""

import gc

gc.disable()  # imported modules stay: to look through them for garbage, again and again, takes a sixth of the start

from seglab.ui import launch  # noqa: E402

if __name__ == "__main__":
    demo = launch()  # a Space that reloads what was edited looks for this name
    gc.freeze()
    gc.enable()
    demo.block_thread()
