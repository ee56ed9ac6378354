"""What the programs share: steps that are written down, and orders to whoever runs them."""

import os
import random
import ssl
import sys
import time
from zlib import crc32

# How often a step is tried again that may meet a connection that has been cut.
TRIES = 200


def say(name, what):
    """Writes one result; bytes and text alike, cut where they are long."""
    print(f"{name}: {shown(what)}", flush=True)


def shown(what):
    if isinstance(what, (bytes, str)) and len(what) > 60:
        return f"{type(what).__name__} of {len(what)}, {ascii(what[:10])} to {ascii(what[-10:])}"
    if isinstance(what, dict) and len(what) > 10:
        text = ascii(sorted(what.items()))
        return f"{len(what)} entries, checksum {crc32(text.encode())}, {text[:20]} to {text[-20:]}"
    if isinstance(what, dict):
        return "{" + ", ".join(f"{ascii(key)}: {shown(what[key])}" for key in sorted(what)) + "}"
    if isinstance(what, (list, tuple)):
        return f"({', '.join(shown(one) for one in what)})"
    return ascii(what)


def step(name, act):
    """Writes what `act` returns; it must not raise."""
    try:
        result = act()
    except Exception as error:
        print(f"UNEXPECTED {name}: {type(error).__name__} {ascii(str(error))}", flush=True)
        return None
    say(name, result)
    return result


def refused(name, act):
    """Writes what `act` raises; it must."""
    try:
        print(f"UNEXPECTED {name}: {shown(act())}", flush=True)
    except Exception as error:
        print(f"{name}: raises {type(error).__name__} {ascii(str(error))}", flush=True)


def tried(name, act):
    """Writes what `act` returns or raises: the client has its own mind about it."""
    try:
        say(name, act())
    except Exception as error:
        print(f"{name}: raises {type(error).__name__} {ascii(str(error))}", flush=True)


def order(what):
    """Has something done to the servers."""
    print(f"> {what}", flush=True)
    if sys.stdin.readline() != "done\n":
        sys.exit(f"nobody has done {what}")


def after_a_cut(name, act):
    """Writes what `act` returns after all connections are cut, however often it has to ask."""
    order("cut")
    for _ in range(TRIES):
        try:
            result = act()
        except Exception:
            result = None
        if result is not None:
            say(name, result)
            return
        time.sleep(0.05)
    print(f"UNEXPECTED {name}: no answer after a cut", flush=True)


def noise(count):
    """Bytes that do not compress, the same in every run."""
    return random.Random(4).randbytes(count)


def credentials():
    """Somebody, whom a server that asks for nobody need not know."""
    user = os.environ.get("SASL_USER", "alice")
    return {"username": user, "password": os.environ.get("SASL_PASSWORD", "in wonderland")}


def tls():
    """Believes whom the environment names, and nobody else."""
    return ssl.create_default_context(cafile=os.environ["TLS_AUTHORITY"])


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def end():
    print("end", flush=True)
