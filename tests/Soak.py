"""How often a test of chance runs: `make soak` sets MINIDL_SOAK."""

import os


def times(usual, soak):
    return soak if os.environ.get("MINIDL_SOAK") else usual
