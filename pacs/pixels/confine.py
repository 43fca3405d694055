"""Taking a process's rights away: no file and no connection may be opened any more (Linux Landlock, where there is)."""

from __future__ import annotations

import ctypes
import os
from struct import pack

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1
_PR_SET_NO_NEW_PRIVS = 38

#: How many kinds of access to files each version of Landlock knows (linux/landlock.h); later ones know the last's.
_FILE_KINDS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
#: Binding and connecting TCP sockets, since version 4.
_NET_KINDS = 0b11


def confine() -> bool:
    """Forbid this process to open files, by whatever way, and to use TCP; False where the kernel can't.

    What is open stays open, and what is loaded stays loaded: load first. There is no way back.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_KINDS[min(version, max(_FILE_KINDS))]) - 1
    asked = pack("<QQ", files, _NET_KINDS) if version >= 4 else pack("<Q", files)
    ruleset = libc.syscall(_CREATE_RULESET, asked, len(asked), 0)
    if ruleset < 0:
        return False
    try:
        # No rule is added: what the set handles is forbidden everywhere.
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
