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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import net.spy.memcached.AddrUtil;
import net.spy.memcached.CASValue;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Locator;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.DefaultHashAlgorithm;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.auth.AuthDescriptor;
import net.spy.memcached.auth.PlainCallbackHandler;
import net.spy.memcached.transcoders.IntegerTranscoder;
import net.spy.memcached.transcoders.LongTranscoder;
import net.spy.memcached.transcoders.SerializingTranscoder;

/** spymemcached: both protocols, and the binary one with a user. */
final class Spymemcached {
    private static final int FUTURES = 1000;
    private static final List<String> STATS =
            List.of("pid", "uptime", "version", "curr_items", "cmd_get", "limit_maxbytes");

    private final ConnectionFactoryBuilder settings;

    private Spymemcached(Protocol protocol) {
        settings = new ConnectionFactoryBuilder()
                .setProtocol(protocol)
                .setOpTimeout(10_000)
                .setMaxReconnectDelay(1)
                // Values of 1 MiB go to the server, which is to refuse them.
                .setTranscoder(new SerializingTranscoder(16 << 20));
    }

    public static void main(String[] args) {
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SLF4JLogger");
        Steps.end(() -> play(args));
    }

    private static void play(String[] args) throws Exception {
        switch (args[0]) {
            case "text":
                new Spymemcached(Protocol.TEXT).one(args[1], false);
                break;
            case "binary":
                new Spymemcached(Protocol.BINARY).one(args[1], true);
                break;
            case "user":
                new Spymemcached(Protocol.BINARY).withUser().one(args[1], true);
                break;
            case "nodes":
                new Spymemcached(Protocol.BINARY).nodes(args[1], args[2]);
                break;
            case "pair":
                new Spymemcached(Protocol.TEXT).pair(args[1], args[2]);
                new Spymemcached(Protocol.BINARY).pair(args[1], args[2]);
                break;
            default:
                throw new IllegalArgumentException(args[0]);
        }
    }

    private Spymemcached withUser() {
        String user = System.getenv("SASL_USER");
        String password = System.getenv("SASL_PASSWORD");
        settings.setAuthDescriptor(new AuthDescriptor(
                new String[] {"PLAIN"}, new PlainCallbackHandler(user, password)));
        return this;
    }

    private MemcachedClient connect(String... wheres) throws IOException {
        return new MemcachedClient(settings.build(), AddrUtil.getAddresses(Arrays.asList(wheres)));
    }

    private void one(String where, boolean binary) throws Exception {
        MemcachedClient client = connect(where);
        store(client);
        count(client);
        items(client, binary);
        limits(client);
        hurry(client);
        afterACut("after a cut", () -> client.get("hello"));
        Map<String, String> stats = client.getStats().values().iterator().next();
        say("stats", STATS.stream().filter(stats::containsKey).toArray().length);
        Map<String, String> own = client.getStats("settings").values().iterator().next();
        say("settings", own.get("item_size_max"));
        step("version", () -> client.getVersions().values().iterator().next().startsWith("1.6."));
        step("flush later", () -> client.flush(100).get());
        step("still there", () -> client.get("hello"));
        step("flush", () -> client.flush().get());
        step("gone", () -> client.get("hello"));
        step("set again", () -> client.set("hello", 0, "again").get());
        step("again", () -> client.get("hello"));
        client.shutdown();
    }

    private static void store(MemcachedClient client) throws Exception {
        step("set", () -> client.set("hello", 0, "world").get());
        step("get", () -> client.get("hello"));
        step("get nothing", () -> client.get("nothing"));
        step("add there", () -> client.add("hello", 0, "again").get());
        step("add", () -> client.add("added", 0, "new").get());
        step("replace nothing", () -> client.replace("nothing", 0, "x").get());
        step("replace", () -> client.replace("added", 0, "newer").get());
        step("append", () -> client.append("added", "+").get());
        step("prepend", () -> client.prepend("added", "-").get());
        step("append to nothing", () -> client.append("nothing", "x").get());
        step("joined", () -> client.get("added"));
        CASValue<Object> value = client.gets("hello");
        say("gets", value.getValue());
        step("cas", () -> client.cas("hello", value.getCas(), "swapped"));
        step("cas stale", () -> client.cas("hello", value.getCas(), "never"));
        step("cas nothing", () -> client.cas("nothing", value.getCas(), "x"));
        step("gets nothing", () -> client.gets("nothing"));
        step("delete", () -> client.delete("added").get());
        step("delete nothing", () -> client.delete("added").get());
    }

    private static void count(MemcachedClient client) throws Exception {
        step("incr with initial", () -> client.incr("number", 5, 10));
        step("incr", () -> client.incr("number", 5));
        step("decr", () -> client.decr("number", 1));
        step("decr below zero", () -> client.decr("number", 100));
        step("decr with initial", () -> client.decr("other", 5, 7, 100));
        step("incr nothing", () -> client.incr("nothing", 1));
        step("incr later", () -> client.asyncIncr("number", 3).get());
        step("set of a word", () -> client.set("word", 0, "abc").get());
        step("incr of a word", () -> client.asyncIncr("word", 1).getStatus().getMessage());
    }

    private static void items(MemcachedClient client, boolean binary) throws Exception {
        step("short", () -> client.set("short", 2, "lived").get());
        step("long", () -> client.set("long", 2, "lived").get());
        step("read", () -> client.set("read", 2, "lived").get());
        step("touch", () -> client.touch("long", 100).get());
        step("touch nothing", () -> client.touch("nothing", 100).get());
        if (binary) {
            step("gat", () -> client.getAndTouch("read", 100).getValue());
            step("gat nothing", () -> client.getAndTouch("nothing", 100));
        }
        step("short before", () -> client.get("short"));
        Thread.sleep(3100);
        step("short after", () -> client.get("short"));
        step("long after", () -> client.get("long"));
        step("read after", () -> client.get("read"));
        List<Object> values = List.of("", 42, 1L << 40, true, 2.5, 'x', "\u00fc\u20ac",
                new byte[] {0, 13, 10, -1}, object(), "a".repeat(100_000));
        for (Object value : values) {
            String type = value.getClass().getSimpleName();
            step(type + " set", () -> client.set("type", 0, value).get());
            step(type, () -> client.get("type"));
        }
        step("own transcoder", () -> client.set("int", 0, 7, new IntegerTranscoder()).get());
        step("own transcoder back", () -> client.get("int", new IntegerTranscoder()));
        step("another", () -> client.set("long", 0, 8L, new LongTranscoder()).get());
        step("another back", () -> client.asyncGet("long", new LongTranscoder()).get());
    }

    private static void limits(MemcachedClient client) throws Exception {
        step("key of 250", () -> client.set("k".repeat(250), 0, "long key").get());
        step("key of 250 back", () -> client.get("k".repeat(250)));
        refused("key of 251", () -> client.set("k".repeat(251), 0, "x").get());
        step("unicode set", () -> client.set("schl\u00fcssel\u20ac", 0, "\u20ac").get());
        step("unicode", () -> client.get("schl\u00fcssel\u20ac"));
        step("nearly 1 MiB set", () -> client.set("big", 0, noise((1 << 20) - 400)).get());
        step("nearly 1 MiB", () -> client.get("big"));
        step("over 1 MiB", () -> {
            Future<Boolean> future = client.set("big", 0, noise((1 << 20) + 1));
            try {
                return future.get();
            } catch (Exception refusal) {
                return refusal;
            }
        });
        step("the old one has gone", () -> client.get("big"));
    }

    /** A thousand requests before the first answer is asked for. */
    private static void hurry(MemcachedClient client) throws Exception {
        List<String> keys = keys("many", FUTURES);
        step("futures", () -> {
            List<Future<Boolean>> futures = new ArrayList<>();
            for (String key : keys) {
                futures.add(client.set(key, 0, key + "!"));
            }
            int done = 0;
            for (Future<Boolean> future : futures) {
                done += future.get() ? 1 : 0;
            }
            return done;
        });
        step("future gets", () -> {
            List<Future<Object>> futures = new ArrayList<>();
            for (String key : keys) {
                futures.add(client.asyncGet(key));
            }
            List<Object> values = new ArrayList<>();
            for (Future<Object> future : futures) {
                values.add(future.get());
            }
            return values;
        });
        step("bulk", () -> client.getBulk(keys("many", 100)));
        step("bulk of all", () -> client.asyncGetBulk(keys).get());
        step("bulk of nothing", () -> client.getBulk(List.of("nothing", "nobody")));
        step("deletes", () -> {
            List<Future<Boolean>> futures = new ArrayList<>();
            for (String key : keys.subList(0, 500)) {
                futures.add(client.delete(key));
            }
            int done = 0;
            for (Future<Boolean> future : futures) {
                done += future.get() ? 1 : 0;
            }
            return done;
        });
        step("left", () -> client.getBulk(keys).size());
    }

    private void nodes(String... wheres) throws Exception {
        settings.setLocatorType(Locator.CONSISTENT).setHashAlg(DefaultHashAlgorithm.KETAMA_HASH);
        MemcachedClient client = connect(wheres);
        List<String> keys = keys("key", 200);
        for (String key : keys) {
            client.set(key, 0, key);
        }
        step("found on two", () -> client.getBulk(keys));
        int left = connect(wheres[0]).getBulk(keys).size();
        int right = connect(wheres[1]).getBulk(keys).size();
        say("both have a share", left > 0 && right > 0 && left + right == 200);
        step("stats of two", () -> client.getStats().size());
        step("flush of two", () -> client.flush().get());
        step("gone from two", () -> client.getBulk(keys));
    }

    private void pair(String here, String there) throws Exception {
        MemcachedClient left = connect(here);
        MemcachedClient right = connect(there);
        List<String> keys = keys("key", 100);
        for (String key : keys) {
            left.set(key, 0, object());
        }
        step("set here", () -> left.getBulk(keys));
        order("settle");
        step("read there", () -> right.getBulk(keys));
        CASValue<Object> value = left.gets("key7");
        step("cas there", () -> right.cas("key7", value.getCas(), "swapped"));
        step("delete there", () -> right.delete("key8").get());
        order("settle");
        step("read here", () -> left.getBulk("key7", "key8"));
        step("stale here", () -> left.cas("key7", value.getCas(), "never"));
        step("flush there", () -> right.flush().get());
        step("last there", () -> right.set("last", 0, "word").get());
        order("settle");
        step("gone here", () -> left.getBulk(keys));
        step("last here", () -> left.get("last"));
    }
}
