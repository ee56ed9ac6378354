"""pymemcache: the text protocol."""

import sys
import time

from pymemcache import Client, HashClient, serde

from steps import address, after_a_cut, end, noise, order, refused, say, step, tls


def text(where):
    talk(where)


def secret(where):
    talk(where, tls_context=tls())


def talk(where, **settings):
    client = Client(address(where), default_noreply=False, timeout=10, **settings)
    step("version", lambda: client.version().startswith(b"1.6."))
    store(client)
    count(client)
    items(client)
    limits(client)
    step("many set", lambda: client.set_many({f"many{n}": f"value {n}" for n in range(100)}))
    step("many got", lambda: client.get_many([f"many{n}" for n in range(0, 110)]))
    step("many with cas", lambda: len(client.gets_many([f"many{n}" for n in range(100)])))
    step("many deleted", lambda: client.delete_many([f"many{n}" for n in range(50)]))
    step("many left", lambda: len(client.get_many([f"many{n}" for n in range(100)])))
    after_a_cut("after a cut", lambda: client.get("hello"))
    others(client, where, settings)
    client.close()


def store(client):
    step("set", lambda: client.set("hello", "world"))
    step("get", lambda: client.get("hello"))
    step("get nothing", lambda: client.get("nothing"))
    step("add there", lambda: client.add("hello", "again"))
    step("add", lambda: client.add("added", "new"))
    step("replace nothing", lambda: client.replace("nothing", "x"))
    step("replace", lambda: client.replace("added", "newer"))
    step("append", lambda: client.append("added", "+"))
    step("prepend", lambda: client.prepend("added", "-"))
    step("append to nothing", lambda: client.append("nothing", "x"))
    step("joined", lambda: client.get("added"))
    value, cas = client.gets("hello")
    say("gets", value)
    step("cas", lambda: client.cas("hello", "swapped", cas))
    step("cas stale", lambda: client.cas("hello", "never", cas))
    step("cas nothing", lambda: client.cas("nothing", "x", cas))
    refused("cas of no number", lambda: client.cas("hello", "x", "abc"))
    step("delete", lambda: client.delete("added"))
    step("delete nothing", lambda: client.delete("added"))
    client.set("quiet", "silent", noreply=True)
    client.append("quiet", "ly", noreply=True)
    client.add("quiet", "never", noreply=True)
    step("quiet", lambda: client.get("quiet"))
    client.delete("quiet", noreply=True)
    step("quietly gone", lambda: client.get("quiet"))


def count(client):
    client.set("number", "10")
    step("incr", lambda: client.incr("number", 5))
    step("decr", lambda: client.decr("number", 1))
    step("decr below zero", lambda: client.decr("number", 100))
    step("incr nothing", lambda: client.incr("nothing", 1))
    client.set("number", str(2**64 - 1))
    step("incr wraps", lambda: client.incr("number", 2))
    client.set("number", "100")
    step("decr to fewer digits", lambda: client.decr("number", 1))
    step("which are padded", lambda: client.get("number"))
    client.incr("number", 7, noreply=True)
    step("incr unheard", lambda: client.get("number"))
    client.set("word", "abc")
    refused("incr of a word", lambda: client.incr("word", 1))


def items(client):
    client.set("short", "lived", expire=2)
    client.set("past", "gone", expire=-1)
    client.set("long", "lived", expire=2)
    step("touch", lambda: client.touch("long", 100))
    step("touch nothing", lambda: client.touch("nothing", 100))
    step("past", lambda: client.get("past"))
    step("short before", lambda: client.get("short"))
    step("gat", lambda: client.raw_command("gat 0 long", "END\r\n"))
    time.sleep(3.1)
    step("short after", lambda: client.get("short"))
    step("long after", lambda: client.get("long"))
    client.set("flagged", "x", flags=2**32 - 1)
    step("flags", lambda: client.raw_command("get flagged", "END\r\n"))
    step("meta", lambda: client.raw_command("mg flagged v f t"))
    step("empty set", lambda: client.set("empty", ""))
    step("empty", lambda: client.get("empty"))


def limits(client):
    step("key of 250", lambda: client.set("k" * 250, "long key"))
    step("key of 250 back", lambda: client.get("k" * 250))
    refused("key of 251", lambda: client.set("k" * 251, "x"))
    refused("key with a space", lambda: client.set("a b", "x"))
    big = noise(1024 * 1024 - 400)
    step("nearly 1 MiB set", lambda: client.set("big", big))
    step("nearly 1 MiB", lambda: client.get("big") == big)
    refused("over 1 MiB", lambda: client.set("big", noise(1024 * 1024 + 1)))
    step("the old one has gone", lambda: client.get("big"))
    refused("no such command", lambda: client.raw_command("nonsense"))
    step("and on it goes", lambda: client.get("hello"))


def others(client, where, settings):
    settings = {"default_noreply": False, **settings}
    known = Client(address(where), serde=serde.pickle_serde, **settings)
    value = {"list": [1, 2.5, None], "text": "\u00fcnicode", "bytes": b"\0\xff", "big": 2**70}
    step("pickle set", lambda: known.set("object", value))
    step("pickle", lambda: known.get("object"))
    step("integer", lambda: known.set("int", 42) and known.get("int"))
    squeezed = Client(address(where), serde=serde.compressed_serde, **settings)
    step("compressed set", lambda: squeezed.set("squeezed", "a" * 100_000))
    step("compressed", lambda: squeezed.get("squeezed"))
    step("which is small", lambda: len(client.get("squeezed")) < 1000)
    worldly = Client(address(where), allow_unicode_keys=True, encoding="utf8", **settings)
    step("unicode set", lambda: worldly.set("schl\u00fcssel\u20ac", "\u00fc\u20ac"))
    step("unicode", lambda: worldly.get("schl\u00fcssel\u20ac").decode("utf8"))
    step("stats", lambda: sorted(key for key in client.stats() if key in WANTED))
    step("settings", lambda: client.stats("settings")[b"item_size_max"])
    step("verbosity", lambda: client.raw_command("verbosity 0"))
    step("flush later", lambda: client.flush_all(delay=100))
    step("still there", lambda: client.get("hello"))
    step("flush", lambda: client.flush_all())
    step("gone", lambda: client.get("hello"))
    step("set again", lambda: client.set("hello", "again") and client.get("hello"))
    step("quit", lambda: client.quit())
    step("and come back", lambda: client.get("hello"))


WANTED = {
    b"pid", b"uptime", b"time", b"version", b"curr_items", b"cmd_get", b"get_hits", b"bytes",
    b"limit_maxbytes", b"threads", b"evictions", b"curr_connections", b"total_items",
}


def nodes(*wheres):
    client = HashClient([address(where) for where in wheres], default_noreply=False)
    pairs = {f"key{n}": f"value {n}" for n in range(200)}
    step("set on two", lambda: client.set_many(pairs))
    found = client.get_many(list(pairs))
    say("found on two", len(found))
    shares = [len(Client(address(where)).get_many(list(pairs))) for where in wheres]
    say("both have a share", min(shares) > 0 and sum(shares) == 200)


def pair(here, there):
    left = Client(address(here), default_noreply=False)
    right = Client(address(there), default_noreply=False)
    step("set here", lambda: left.set_many({f"key{n}": f"value {n}" for n in range(100)}))
    order("settle")
    step("read there", lambda: right.get_many([f"key{n}" for n in range(100)]))
    value, cas = left.gets("key7")
    step("cas there", lambda: right.cas("key7", value + b"!", cas))
    step("delete there", lambda: right.delete("key8"))
    order("settle")
    step("read here", lambda: [left.get("key7"), left.get("key8")])
    step("stale here", lambda: left.cas("key7", "never", cas))
    step("flush there", lambda: right.flush_all() and right.set("last", "word"))
    order("settle")
    step("gone here", lambda: left.get_many([f"key{n}" for n in range(100)] + ["last"]))


{"text": text, "tls": secret, "nodes": nodes, "pair": pair}[sys.argv[1]](*sys.argv[2:])
end()
