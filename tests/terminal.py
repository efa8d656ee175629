# SPDX-License-Identifier: MIT
"""A shell in tmux: keys are pressed, and what a person sees is read."""
import os
import re
import shutil
import subprocess
import sys
import time

KEYS = {"\n": "Enter", "\t": "Tab", "\x15": "C-u", "\x03": "C-c", "\x04": "C-d"}


def need(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not here: {' '.join(missing)} (tests/deps)")


class Terminal:
    """A shell in tmux."""

    def __init__(self, world, shell, begin):
        self.name = f"gpuvm-{os.getpid()}-{shell[0]}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "50",
                  "-e", f"HOME={world.directory}", "-e", "LC_ALL=C.UTF-8", "-c", str(world.directory), *shell)
        self.type(f"unset HISTFILE; export PATH={world.gpuvm.parent}:/usr/bin:/bin; {begin}\n")
        self.wait("ready>")

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-L", self.name, *arguments], check=True, capture_output=True, text=True).stdout

    def type(self, text):
        for part in re.split(f"([{''.join(KEYS)}])", text):
            if part:
                self.tmux("send-keys", *([KEYS[part]] if part in KEYS else ["-l", part]))

    def screen(self):
        return self.tmux("capture-pane", "-p", "-J").rstrip()

    def until(self, right, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if right(self.screen()):
                return True
            time.sleep(0.05)
        return False

    def wait(self, text, seconds=10):
        return self.until(lambda screen: text in screen, seconds)

    def run(self, command):
        """On an empty screen: what an earlier command said is no answer of this one's."""
        self.type("clear\n")
        if not self.until(lambda screen: screen == "ready>", 10):
            raise TimeoutError(f"the shell does not clear its screen:\n{self.screen()}")
        self.type(f"{command}\n")

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], capture_output=True)
