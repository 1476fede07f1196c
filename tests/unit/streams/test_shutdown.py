"""A process told to stop, at any moment."""

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


def test_no_moment_is_a_bad_one_to_be_told() -> None:
    """Told 400 times in the midst of waiting over and over, it notices each time and never hangs.

    With a `threading.Event` instead of `Stop` it hangs or fails about once in 60 times.
    """
    done = subprocess.run(
        [sys.executable, "-c", OFTEN], capture_output=True, text=True, timeout=STUCK, check=False
    )
    assert done.stdout == "never hung\n", done.stderr


def test_a_process_that_hangs_when_told_to_stop_ends_all_the_same() -> None:
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
