package memtwin.clients;

import static memtwin.clients.Steps.afterACut;
import static memtwin.clients.Steps.keys;
import static memtwin.clients.Steps.noise;
import static memtwin.clients.Steps.object;
import static memtwin.clients.Steps.order;
import static memtwin.clients.Steps.refused;
import static memtwin.clients.Steps.say;
import static memtwin.clients.Steps.step;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import net.rubyeye.xmemcached.GetsResponse;
import net.rubyeye.xmemcached.MemcachedClient;
import net.rubyeye.xmemcached.XMemcachedClientBuilder;
import net.rubyeye.xmemcached.command.BinaryCommandFactory;
import net.rubyeye.xmemcached.command.TextCommandFactory;
import net.rubyeye.xmemcached.impl.KetamaMemcachedSessionLocator;
import net.rubyeye.xmemcached.transcoders.SerializingTranscoder;
import net.rubyeye.xmemcached.utils.AddrUtil;

/** xmemcached: both protocols. */
final class Xmemcached {
    private static final List<String> STATS =
            List.of("pid", "uptime", "version", "curr_items", "cmd_get", "limit_maxbytes");

    private final boolean binary;

    private Xmemcached(boolean binary) {
        this.binary = binary;
    }

    public static void main(String[] args) {
        Steps.end(() -> play(args));
    }

    private static void play(String[] args) throws Exception {
        switch (args[0]) {
            case "text":
                new Xmemcached(false).one(args[1]);
                break;
            case "binary":
                new Xmemcached(true).one(args[1]);
                break;
            case "nodes":
                new Xmemcached(true).nodes(args[1], args[2]);
                break;
            case "pair":
                new Xmemcached(false).pair(args[1], args[2]);
                new Xmemcached(true).pair(args[1], args[2]);
                break;
            default:
                throw new IllegalArgumentException(args[0]);
        }
    }

    private MemcachedClient connect(String... wheres) throws IOException {
        XMemcachedClientBuilder builder =
                new XMemcachedClientBuilder(AddrUtil.getAddresses(String.join(" ", wheres)));
        builder.setCommandFactory(binary ? new BinaryCommandFactory() : new TextCommandFactory());
        builder.setSessionLocator(new KetamaMemcachedSessionLocator());
        // Values of 1 MiB go to the server, which is to refuse them.
        builder.setTranscoder(new SerializingTranscoder(16 << 20));
        builder.setOpTimeout(10_000);
        builder.setHealSessionInterval(50);
        builder.setConnectionPoolSize(2);
        return builder.build();
    }

    private void one(String where) throws Exception {
        MemcachedClient client = connect(where);
        store(client);
        count(client);
        items(client);
        limits(client);
        many(client);
        afterACut("after a cut", () -> client.get("hello"));
        Map<String, String> stats = client.getStats().values().iterator().next();
        say("stats", STATS.stream().filter(stats::containsKey).toArray().length);
        Map<String, String> own =
                client.getStatsByItem("settings").values().iterator().next();
        say("settings", own.get("item_size_max"));
        if (!binary) {
            // In the binary protocol this client throws its version away.
            step("version", () -> client.getVersions().values().toString().startsWith("[1.6."));
        }
        step("flush", () -> {
            client.flushAll();
            return "done";
        });
        step("gone", () -> client.get("hello"));
        step("set again", () -> client.set("hello", 0, "again"));
        step("again", () -> client.get("hello"));
        client.shutdown();
    }

    private static void store(MemcachedClient client) throws Exception {
        step("set", () -> client.set("hello", 0, "world"));
        step("get", () -> client.get("hello"));
        step("get nothing", () -> client.get("nothing"));
        step("add there", () -> client.add("hello", 0, "again"));
        step("add", () -> client.add("added", 0, "new"));
        step("replace nothing", () -> client.replace("nothing", 0, "x"));
        step("replace", () -> client.replace("added", 0, "newer"));
        step("append", () -> client.append("added", "+"));
        step("prepend", () -> client.prepend("added", "-"));
        step("append to nothing", () -> client.append("nothing", "x"));
        step("joined", () -> client.get("added"));
        GetsResponse<Object> value = client.gets("hello");
        say("gets", value.getValue());
        step("cas", () -> client.cas("hello", 0, "swapped", value.getCas()));
        step("cas stale", () -> client.cas("hello", 0, "never", value.getCas()));
        step("cas nothing", () -> client.cas("nothing", 0, "x", value.getCas()));
        step("delete", () -> client.delete("added"));
        step("delete nothing", () -> client.delete("added"));
        client.setWithNoReply("quiet", 0, "silent");
        step("quiet", () -> client.get("quiet"));
        client.addWithNoReply("quiet", 0, "never");
        client.appendWithNoReply("quiet", "ly");
        step("quiet still", () -> client.get("quiet"));
        client.deleteWithNoReply("quiet");
    }

    private static void count(MemcachedClient client) throws Exception {
        step("incr with initial", () -> client.incr("number", 5, 10));
        step("incr", () -> client.incr("number", 5));
        step("decr", () -> client.decr("number", 1));
        step("decr below zero", () -> client.decr("number", 100));
        step("decr with initial", () -> client.decr("other", 5, 7));
        client.incrWithNoReply("other", 3);
        step("incr unheard", () -> client.incr("other", 1));
        step("set of a word", () -> client.set("word", 0, "abc"));
        refused("incr of a word", () -> client.incr("word", 1));
        step("counter", () -> client.getCounter("counter", 5).incrementAndGet());
        step("counter back", () -> client.getCounter("counter").get());
    }

    private void items(MemcachedClient client) throws Exception {
        step("short", () -> client.set("short", 2, "lived"));
        step("long", () -> client.set("long", 2, "lived"));
        step("read", () -> client.set("read", 2, "lived"));
        step("touch", () -> client.touch("long", 100));
        step("touch nothing", () -> client.touch("nothing", 100));
        if (binary) {
            step("gat", () -> client.getAndTouch("read", 100));
            step("gat nothing", () -> client.getAndTouch("nothing", 100));
        }
        step("short before", () -> client.get("short"));
        Thread.sleep(3100);
        step("short after", () -> client.get("short"));
        step("long after", () -> client.get("long"));
        step("read after", () -> client.get("read"));
        List<Object> values = List.of("", 42, 1L << 40, true, 2.5, "\u00fc\u20ac",
                new byte[] {0, 13, 10, -1}, object(), "a".repeat(100_000));
        for (Object value : values) {
            String type = value.getClass().getSimpleName();
            step(type + " set", () -> client.set("type", 0, value));
            step(type, () -> client.get("type"));
        }
    }

    private static void limits(MemcachedClient client) throws Exception {
        step("key of 250", () -> client.set("k".repeat(250), 0, "long key"));
        step("key of 250 back", () -> client.get("k".repeat(250)));
        refused("key of 251", () -> client.set("k".repeat(251), 0, "x"));
        step("unicode set", () -> client.set("schl\u00fcssel\u20ac", 0, "\u20ac"));
        step("unicode", () -> client.get("schl\u00fcssel\u20ac"));
        step("nearly 1 MiB set", () -> client.set("big", 0, noise((1 << 20) - 400)));
        step("nearly 1 MiB", () -> client.get("big"));
        refused("over 1 MiB", () -> client.set("big", 0, noise((1 << 20) + 1)));
        step("the old one has gone", () -> client.get("big"));
    }

    private static void many(MemcachedClient client) throws Exception {
        List<String> keys = keys("many", 100);
        for (String key : keys) {
            client.set(key, 0, key + "!");
        }
        step("many got", () -> client.get(keys));
        step("many with cas", () -> client.gets(keys).size());
        String found = client.withNamespace("space", it -> {
            it.set("a", 0, "in the space");
            return it.get("a");
        });
        say("namespace", found);
        client.invalidateNamespace("space");
        step("namespace gone", () -> client.withNamespace("space", it -> it.get("a")));
    }

    private void nodes(String... wheres) throws Exception {
        MemcachedClient client = connect(wheres);
        List<String> keys = keys("key", 200);
        for (String key : keys) {
            client.set(key, 0, key);
        }
        step("found on two", () -> client.get(keys));
        int left = size(connect(wheres[0]).get(keys));
        int right = size(connect(wheres[1]).get(keys));
        say("both have a share", left > 0 && right > 0 && left + right == 200);
        step("stats of two", () -> client.getStats().size());
        client.flushAll();
        step("gone from two", () -> size(client.get(keys)));
    }

    private static int size(Map<String, ?> found) {
        return found == null ? 0 : found.size();
    }

    private void pair(String here, String there) throws Exception {
        MemcachedClient left = connect(here);
        MemcachedClient right = connect(there);
        List<String> keys = keys("key", 100);
        for (String key : keys) {
            left.set(key, 0, object());
        }
        order("settle");
        step("read there", () -> right.get(keys));
        GetsResponse<Object> value = left.gets("key7");
        step("cas there", () -> right.cas("key7", 0, "swapped", value.getCas()));
        step("delete there", () -> right.delete("key8"));
        order("settle");
        step("read here", () -> left.get("key7"));
        step("deleted here", () -> left.get("key8"));
        step("stale here", () -> left.cas("key7", 0, "never", value.getCas()));
        right.flushAll();
        step("last there", () -> right.set("last", 0, "word"));
        order("settle");
        step("gone here", () -> size(left.get(keys)));
        step("last here", () -> left.get("last"));
    }
}
