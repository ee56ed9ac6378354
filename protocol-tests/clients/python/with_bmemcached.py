"""python-binary-memcached: the binary protocol, with a user or without."""

import os
import sys
import time

import bmemcached

from steps import after_a_cut, credentials, end, noise, order, refused, say, step, tls


def binary(where):
    talk(where, bmemcached.Client((where,)))


def user(where):
    talk(where, bmemcached.Client((where,), **credentials()))


def secret(where):
    talk(where, bmemcached.Client((where,), tls_context=tls()))


def talk(where, client):
    client.enable_retry_delay(False)
    store(client)
    count(client)
    items(client)
    limits(client)
    wrong(client)
    step("many set", lambda: client.set_multi({f"many{n}": f"value {n}" for n in range(100)}))
    step("many got", lambda: client.get_multi([f"many{n}" for n in range(0, 110)]))
    step("many with cas", lambda: len(client.get_multi([f"many{n}" for n in range(9)], True)))
    step("many deleted", lambda: client.delete_multi([f"many{n}" for n in range(50)]))
    step("many left", lambda: len(client.get_multi([f"many{n}" for n in range(100)])))
    once = {("once", 0): "first", ("many60", 0): "never"}
    step("many added", lambda: client.set_multi(once))
    step("many added, with cas", lambda: sorted(client.set_multi_cas(once)))
    after_a_cut("after a cut", lambda: client.get("hello"))
    [stats] = client.stats().values()
    say("stats", sorted(key for key in stats if key in WANTED))
    [stats] = client.stats("settings").values()
    say("settings", stats.get("item_size_max"))
    if "SASL_USER" in os.environ:
        liar = bmemcached.Client((where,), **{**credentials(), "password": "wrong"})
        refused("wrong password", lambda: liar.get("hello"))
        nobody = bmemcached.Client((where,))
        refused("no password", lambda: nobody.get("hello"))
    step("flush later", lambda: client.flush_all(100))
    step("still there", lambda: client.get("hello"))
    step("flush", lambda: client.flush_all())
    step("gone", lambda: client.get("hello"))
    step("set again", lambda: client.set("hello", "again") and client.get("hello"))


WANTED = {"pid", "uptime", "version", "curr_items", "cmd_get", "bytes", "limit_maxbytes"}


def store(client):
    step("set", lambda: client.set("hello", "world"))
    step("get", lambda: client.get("hello"))
    step("get nothing", lambda: client.get("nothing"))
    step("get otherwise", lambda: client.get("nothing", "otherwise"))
    step("add there", lambda: client.add("hello", "again"))
    step("add", lambda: client.add("added", "new"))
    step("replace nothing", lambda: client.replace("nothing", "x"))
    step("replace", lambda: client.replace("added", "newer"))
    value, cas = client.gets("hello")
    say("gets", value)
    step("cas", lambda: client.cas("hello", "swapped", cas))
    step("cas stale", lambda: client.cas("hello", "never", cas))
    step("cas nothing", lambda: client.cas("nothing", "x", cas))
    _, cas = client.set("given", "x", get_cas=True)
    step("cas of the set", lambda: client.cas("given", "y", cas))
    step("delete stale", lambda: client.delete("given", cas))
    step("delete", lambda: client.delete("added"))
    step("delete nothing", lambda: client.delete("added"))


def count(client):
    step("incr with initial", lambda: client.incr("number", 5, default=10))
    step("incr", lambda: client.incr("number", 5))
    step("decr", lambda: client.decr("number", 1))
    step("decr below zero", lambda: client.decr("number", 100))
    step("decr with initial", lambda: client.decr("other", 1, default=7))
    step("incr that stays", lambda: client.incr("none", 1, time=-1))
    step("incr wraps", lambda: client.incr("huge", 1, default=2**64 - 1))
    step("incr wraps to", lambda: client.incr("huge", 2))
    client.set("word", "abc")
    refused("incr of a word", lambda: client.incr("word", 1))


def items(client):
    client.set("short", "lived", time=2)
    step("short before", lambda: client.get("short"))
    time.sleep(3.1)
    step("short after", lambda: client.get("short"))
    step("empty set", lambda: client.set("empty", ""))
    step("empty", lambda: client.get("empty"))
    value = {"list": [1, 2.5, None], "text": "\u00fcnicode", "bytes": b"\0\xff", "big": 2**70}
    step("pickle set", lambda: client.set("object", value))
    step("pickle", lambda: client.get("object"))
    for kept in (42, 2**40, True, b"\0\r\n\xff", "\u20ac"):
        step(f"type {type(kept).__name__}", lambda: client.set("type", kept) and client.get("type"))
    step("compressed set", lambda: client.set("squeezed", "a" * 100_000))
    step("compressed", lambda: client.get("squeezed"))


def limits(client):
    step("key of 250", lambda: client.set("k" * 250, "long key"))
    step("key of 250 back", lambda: client.get("k" * 250))
    step("unicode set", lambda: client.set("schl\u00fcssel\u20ac", "\u00fc\u20ac"))
    step("unicode", lambda: client.get("schl\u00fcssel\u20ac"))
    step("binary key", lambda: client.set(b"a b\r\n\0\xff", "x") and client.get(b"a b\r\n\0\xff"))
    big = noise(1024 * 1024 - 400)
    step("nearly 1 MiB set", lambda: client.set("big", big))
    step("nearly 1 MiB", lambda: client.get("big") == big)


def wrong(client):
    refused("over 1 MiB", lambda: client.set("big", noise(1024 * 1024 + 1)))
    step("the old one has gone", lambda: client.get("big"))
    refused("key of 251", lambda: client.set("k" * 251, "x"))
    step("which ends the connection", lambda: client.get("hello"))
    step("for a moment", lambda: client.get("hello"))


def nodes(*wheres):
    client = bmemcached.DistributedClient(wheres)
    pairs = {f"key{n}": f"value {n}" for n in range(200)}
    step("set on two", lambda: client.set_multi(pairs))
    step("found on two", lambda: len(client.get_multi(list(pairs))))
    shares = [len(bmemcached.Client((where,)).get_multi(list(pairs))) for where in wheres]
    say("both have a share", min(shares) > 0 and sum(shares) == 200)
    # This one writes to every server and reads from the first that answers.
    everywhere = bmemcached.ReplicatingClient(wheres)
    step("set on both", lambda: everywhere.set("both", "x"))
    step("on both", lambda: [bmemcached.Client((where,)).get("both") for where in wheres])


def pair(here, there):
    left, right = bmemcached.Client((here,)), bmemcached.Client((there,))
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


PARTS = {"binary": binary, "user": user, "tls": secret, "nodes": nodes, "pair": pair}
PARTS[sys.argv[1]](*sys.argv[2:])
end()
