"""The entry point: builds the page and serves it on http://127.0.0.1:7860."""

from seglab.ui import launch

if __name__ == "__main__":
    launch()
