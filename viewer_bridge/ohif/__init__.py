"""The OHIF viewer (MIT licence), as published on npm: `python -m viewer_bridge.ohif` fetches and prepares it."""
