package memtwin.clients;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What the programs share: steps that are written down, and orders to whoever runs them. */
final class Steps {
    /** How often a step is tried again that may meet a connection that has been cut. */
    private static final int TRIES = 200;

    private static final BufferedReader INPUT =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));

    private Steps() {
    }

    static void say(String name, Object result) {
        System.out.println(name + ": " + shown(result));
    }

    /** Writes what {@code act} returns; it must not throw. */
    static <T> T step(String name, Callable<T> act) {
        try {
            T result = act.call();
            say(name, result);
            return result;
        } catch (Exception failure) {
            say("UNEXPECTED " + name, failure);
            return null;
        }
    }

    /** Writes what {@code act} throws; it must. */
    static void refused(String name, Callable<?> act) {
        try {
            say("UNEXPECTED " + name, act.call());
        } catch (Exception failure) {
            say(name, failure);
        }
    }

    /** Has something done to the servers. */
    static void order(String what) throws IOException {
        System.out.println("> " + what);
        if (!"done".equals(INPUT.readLine())) {
            throw new IOException("nobody has done " + what);
        }
    }

    /** Writes what {@code act} returns after all connections are cut, however often it asks. */
    static void afterACut(String name, Callable<?> act) throws IOException, InterruptedException {
        order("cut");
        for (int tries = 0; tries < TRIES; tries++) {
            Object result = null;
            try {
                result = act.call();
            } catch (Exception lost) {
                // Asked with its connection; the next one may be answered.
            }
            if (result != null) {
                say(name, result);
                return;
            }
            Thread.sleep(50);
        }
        say("UNEXPECTED " + name, "no answer after a cut");
    }

    /** Plays it all and ends the process, whatever threads a client has left. */
    static void end(Play play) {
        try {
            play.run();
            System.out.println("end");
            System.exit(0);
        } catch (Exception failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    /** Everything a program does. */
    interface Play {
        void run() throws Exception;
    }

    static List<String> keys(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(n -> prefix + n).collect(Collectors.toList());
    }

    /** Bytes that do not compress, the same in every run. */
    static byte[] noise(int count) {
        byte[] bytes = new byte[count];
        new Random(4).nextBytes(bytes);
        return bytes;
    }

    static Map<String, Object> object() {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("list", List.of(1, 2.5, true));
        object.put("text", "\u00fc\u20ac");
        return object;
    }

    private static String shown(Object what) {
        if (what instanceof Throwable) {
            Throwable cause = (Throwable) what;
            boolean isWrapper = cause instanceof ExecutionException && cause.getCause() != null;
            cause = isWrapper ? cause.getCause() : cause;
            return "throws " + cause.getClass().getSimpleName() + " " + plain(cause.getMessage());
        }
        if (what instanceof byte[]) {
            byte[] bytes = (byte[]) what;
            return bytes.length + " bytes, checksum " + Arrays.hashCode(bytes);
        }
        if (what instanceof Map) {
            String text = plain(new TreeMap<>((Map<?, ?>) what));
            int size = ((Map<?, ?>) what).size();
            return size + " entries, " + (size < 10 ? text : "checksum " + text.hashCode());
        }
        if (what instanceof Collection && ((Collection<?>) what).size() > 10) {
            return ((Collection<?>) what).size() + " values, checksum " + what.hashCode();
        }
        String text = plain(what);
        return text.length() <= 100 ? text : text.length() + " long, checksum " + text.hashCode();
    }

    private static String plain(Object what) {
        return String.valueOf(what).chars()
                .mapToObj(one -> one >= ' ' && one <= '~' ? String.valueOf((char) one)
                        : String.format("\\u%04x", one))
                .collect(Collectors.joining());
    }
}
