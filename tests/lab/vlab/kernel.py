"""Whether this machine's kernel has what the kernel plane needs."""

import os
import subprocess


def lacks_esp():
    """What is missing, or None. Tried in a network namespace of its own."""
    if os.geteuid() != 0:
        return "needs root"
    done = subprocess.run(
        ["unshare", "-n", "ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2",
         "proto", "esp", "spi", "0x1001", "mode", "transport", "aead", "rfc4106(gcm(aes))",
         "0x" + "00" * 20, "128"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return f"the kernel has no ESP ({done.stderr.strip().splitlines()[-1:]})"
