"""A process that is asked to stop, at any moment."""

import subprocess
import sys

from tests.waiting import STUCK

OFTEN = """
import os, random, signal, threading, time
from streams.shutdown import Stop

stop, random_ = Stop(), random.Random(7)

def tell(after):
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGTERM)

for n in range(400):
    stop.asked = False
    thread = threading.Thread(target=tell, args=[random_.uniform(0, 0.001)])
    try:
        thread.start()
        if n % 2:
            with stop.waking(lambda: None):
                while not stop.wait(0.00001):
                    pass
        else:
            while not stop.wait(0.00001):
                pass
    except SystemExit as ended:
        assert ended.code == 0
    thread.join()
print("never hung")
"""


def test_a_stop_may_come_at_any_moment() -> None:
    """Asked 400 times while it waits, it notices each time and never hangs.

    With a `threading.Event` instead of `Stop` it hangs or fails about once in 60 times.
    """
    done = subprocess.run(
        [sys.executable, "-c", OFTEN], capture_output=True, text=True, timeout=STUCK, check=False
    )
    assert done.stdout == "never hung\n", done.stderr


def test_a_process_that_hangs_while_it_stops_is_ended() -> None:
    """It ends with code 1 when its time is up, and says where it was."""
    hanging = (
        "import signal, time; from streams.shutdown import Stop; stop = Stop(); stop.within = 0.5\n"
        "with stop.waking(lambda: None):\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    time.sleep(60)"
    )
    done = subprocess.run(
        [sys.executable, "-c", hanging], capture_output=True, text=True, timeout=STUCK, check=False
    )
    assert done.returncode == 1
    assert "line 4 in <module>" in done.stderr
