"""pylibmc: libmemcached as Python sees it, in both protocols."""

import sys
import time

import pylibmc

from steps import after_a_cut, end, noise, order, refused, say, step, tried


def client_of(*wheres, binary=False, **behaviors):
    return pylibmc.Client(list(wheres), binary=binary, behaviors={"cas": True, **behaviors})


def both(where, binary):
    client = client_of(where, binary=binary)
    store(client)
    count(client, binary)
    # In the binary protocol libmemcached gives a server up for this.
    client.set("word", "abc")
    refused("incr of a word", lambda: client_of(where, binary=binary).incr("word", 1))
    items(client)
    limits(client)
    # And for this.
    refused("over 1 MiB", lambda: client_of(where, binary=binary).set("big", noise(2**20 + 1)))
    step("the old one has gone", lambda: client.get("big"))
    step("many set", lambda: client.set_multi({f"many{n}": f"value {n}" for n in range(100)}))
    step("many got", lambda: client.get_multi([f"many{n}" for n in range(0, 110)]))
    step("many deleted", lambda: client.delete_multi([f"many{n}" for n in range(50)]))
    step("many left", lambda: len(client.get_multi([f"many{n}" for n in range(100)])))
    step("prefixed set", lambda: client.set_multi({"a": 1, "b": 2}, key_prefix="pre"))
    step("prefixed", lambda: client.get_multi(["a", "b"], key_prefix="pre"))
    after_a_cut("after a cut", lambda: client_of(where, binary=binary).get("hello"))
    behaves(where, binary)
    # libmemcached needs a while to believe in a server it has lost; a new client does not.
    client = client_of(where, binary=binary)
    step("stats", lambda: [WANTED & set(stats) == WANTED for _, stats in client.get_stats()])
    step("flush", lambda: client.flush_all())
    step("gone", lambda: client.get("hello"))
    step("set again", lambda: client.set("hello", "again") and client.get("hello"))


WANTED = {"pid", "uptime", "version", "curr_items", "cmd_get", "bytes", "limit_maxbytes"}


def store(client):
    step("set", lambda: client.set("hello", "world"))
    step("get", lambda: client.get("hello"))
    step("get nothing", lambda: client.get("nothing"))
    step("add there", lambda: client.add("hello", "again"))
    step("add", lambda: client.add("added", "new"))
    tried("replace nothing", lambda: client.replace("nothing", "x"))
    step("replace", lambda: client.replace("added", "newer"))
    step("append", lambda: client.append("added", "+"))
    step("prepend", lambda: client.prepend("added", "-"))
    step("append to nothing", lambda: client.append("nothing", "x"))
    step("joined", lambda: client.get("added"))
    value, cas = client.gets("hello")
    say("gets", value)
    step("cas", lambda: client.cas("hello", "swapped", cas))
    step("cas stale", lambda: client.cas("hello", "never", cas))
    refused("cas nothing", lambda: client.cas("nothing", "x", cas))
    step("delete", lambda: client.delete("added"))
    step("delete nothing", lambda: client.delete("added"))


def count(client, binary):
    client.set("number", 10)
    step("incr", lambda: client.incr("number", 5))
    step("decr", lambda: client.decr("number", 1))
    step("decr below zero", lambda: client.decr("number", 100))
    refused("incr nothing", lambda: client.incr("nothing", 1))
    if not binary:
        client.set("one", 1)
        client.set("two", 2)
        step("incr of many", lambda: client.incr_multi(["one", "two"], delta=3))
        step("incremented", lambda: client.get_multi(["one", "two"]))


def items(client):
    client.set("short", "lived", time=2)
    client.set("long", "lived", time=2)
    step("touch", lambda: client.touch("long", 100))
    step("touch nothing", lambda: client.touch("nothing", 100))
    step("short before", lambda: client.get("short"))
    time.sleep(3.1)
    step("short after", lambda: client.get("short"))
    step("long after", lambda: client.get("long"))
    step("empty set", lambda: client.set("empty", ""))
    step("empty", lambda: client.get("empty"))
    value = {"list": [1, 2.5, None], "text": "\u00fcnicode", "bytes": b"\0\xff", "big": 2**70}
    step("pickle set", lambda: client.set("object", value))
    step("pickle", lambda: client.get("object"))
    for kept in (42, 2**40, True, b"\0\r\n\xff", "\u20ac"):
        step(f"type {type(kept).__name__}", lambda: client.set("type", kept) and client.get("type"))
    step("compressed set", lambda: client.set("squeezed", "a" * 100_000, min_compress_len=1000))
    step("compressed", lambda: client.get("squeezed"))


def limits(client):
    step("key of 250", lambda: client.set("k" * 250, "long key"))
    step("key of 250 back", lambda: client.get("k" * 250))
    refused("key of 251", lambda: client.set("k" * 251, "x"))
    step("unicode set", lambda: client.set("schl\u00fcssel\u20ac", "\u00fc\u20ac"))
    step("unicode", lambda: client.get("schl\u00fcssel\u20ac"))
    big = noise(1024 * 1024 - 400)
    step("nearly 1 MiB set", lambda: client.set("big", big))
    step("nearly 1 MiB", lambda: client.get("big") == big)


def behaves(where, binary):
    eager = client_of(where, binary=binary, no_block=True, tcp_nodelay=True)
    step("no_block", lambda: all(eager.set(f"eager{n}", n) for n in range(500)))
    step("no_block read", lambda: sum(eager.get_multi([f"eager{n}" for n in range(500)]).values()))
    silent = client_of(where, binary=binary, _noreply=True)
    step("unheard", lambda: all(silent.set(f"silent{n}", n) for n in range(100)))
    step("unheard delete", lambda: silent.delete("silent0"))
    # In front of the last request of the silent connection nothing else can have been answered.
    found = {}
    for _ in range(200):
        found = client_of(where, binary=binary).get_multi([f"silent{n}" for n in range(100)])
        if len(found) == 99:
            break
        time.sleep(0.02)
    say("unheard read", sum(found.values()))


def nodes(*wheres):
    for distribution in ("consistent", "consistent ketama"):
        client = client_of(*wheres, ketama=True, distribution=distribution)
        pairs = {f"{distribution[-6:]}{n}": f"value {n}" for n in range(200)}
        step("set on two", lambda: client.set_multi(pairs))
        step("found on two", lambda: len(client.get_multi(list(pairs))))
        shares = [len(client_of(where).get_multi(list(pairs))) for where in wheres]
        say("both have a share", min(shares) > 0 and sum(shares) == 200)


def pair(here, there):
    for binary in (False, True):
        left, right = client_of(here, binary=binary), client_of(there, binary=binary)
        step("set here", lambda: left.set_multi({f"key{n}": {"value": n} for n in range(100)}))
        order("settle")
        step("read there", lambda: right.get_multi([f"key{n}" for n in range(100)]))
        value, cas = left.gets("key7")
        step("cas there", lambda: right.cas("key7", "swapped", cas))
        step("delete there", lambda: right.delete("key8"))
        order("settle")
        step("read here", lambda: [left.get("key7"), left.get("key8")])
        step("stale here", lambda: left.cas("key7", "never", cas))
        step("flush there", lambda: right.flush_all() and right.set("last", "word"))
        order("settle")
        step("gone here", lambda: left.get_multi([f"key{n}" for n in range(100)] + ["last"]))


PARTS = {
    "text": lambda where: both(where, False),
    "binary": lambda where: both(where, True),
    "nodes": nodes,
    "pair": pair,
}
PARTS[sys.argv[1]](*sys.argv[2:])
end()
