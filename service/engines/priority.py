"""The priority of the threads that do the heavy work."""

import os
import sys
import threading
from typing import Final

ENGINE_NICENESS: Final = 5
"""How much the engines' threads stand back where all cores are taken, so that the event loop, which needs
little, gets it at once."""


def yield_to_others() -> None:
    """Lower the priority of this thread, and of those it starts, where threads have their own (Linux)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), ENGINE_NICENESS)
