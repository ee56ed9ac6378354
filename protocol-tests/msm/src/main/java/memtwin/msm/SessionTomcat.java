package memtwin.msm;

import de.javakaffee.web.msm.MemcachedBackupSessionManager;
import java.io.File;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.IntrospectionUtils;

/**
 * A Tomcat whose sessions memcached-session-manager keeps, started as
 * {@code SessionTomcat port=8081 baseDir=/tmp/t1 jvmRoute=t1
 * memcachedNodes=n1:127.0.0.1:11211 ...}.
 *
 * <p>{@code baseDir} (needed), {@code port} (0, the default, takes a free one), {@code jvmRoute}
 * and {@code backgroundProcessorDelay} (seconds) are Tomcat's. Every other name is an attribute of
 * MSM's {@code Manager} element in a context.xml, and is set the way Tomcat sets those.
 *
 * <p>Prints {@code READY port} when it serves, and ends when its standard input does, so that it
 * never outlives the program that started it.
 */
public final class SessionTomcat {
    private static final int SESSION_TIMEOUT_MINUTES = 30;

    private SessionTomcat() {}

    public static void main(String[] arguments) {
        // halt, because threads of MSM and Tomcat would keep the process up.
        try {
            serve(parse(arguments));
            Runtime.getRuntime().halt(0);
        } catch (Exception failure) {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private static void serve(Map<String, String> settings) throws Exception {
        Tomcat tomcat = new Tomcat();
        Connector connector = connect(tomcat, settings.remove("port"));
        Context context = deploy(tomcat, settings);
        tomcat.start();
        if (!context.getState().isAvailable()) {
            throw new IllegalStateException("the web application did not start, see the log above");
        }
        System.out.println("READY " + connector.getLocalPort());
        System.out.flush();
        waitForEndOfInput();
    }

    private static Map<String, String> parse(String[] arguments) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String argument : arguments) {
            int separator = argument.indexOf('=');
            if (separator < 1) {
                throw new IllegalArgumentException(argument + ": write name=value");
            }
            settings.put(argument.substring(0, separator), argument.substring(separator + 1));
        }
        return settings;
    }

    private static Connector connect(Tomcat tomcat, String port) {
        Connector connector = new Connector();
        connector.setPort(port == null ? 0 : Integer.parseInt(port));
        connector.setThrowOnFailure(true);
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("maxThreads", "8");
        connector.setProperty("minSpareThreads", "2");
        tomcat.setConnector(connector);
        return connector;
    }

    /** The web application and its manager; removes from {@code settings} what is Tomcat's. */
    private static Context deploy(Tomcat tomcat, Map<String, String> settings) {
        String baseDir = settings.remove("baseDir");
        if (baseDir == null) {
            throw new IllegalArgumentException("baseDir=FOLDER is missing");
        }
        tomcat.setBaseDir(baseDir);
        String jvmRoute = settings.remove("jvmRoute");
        if (jvmRoute != null) {
            tomcat.getEngine().setJvmRoute(jvmRoute);
        }
        Context context = tomcat.addContext("", new File(baseDir).getAbsolutePath());
        context.setSessionTimeout(SESSION_TIMEOUT_MINUTES);
        String delay = settings.remove("backgroundProcessorDelay");
        if (delay != null) {
            context.setBackgroundProcessorDelay(Integer.parseInt(delay));
        }
        context.setManager(manager(settings));
        Tomcat.addServlet(context, "visit", new VisitServlet());
        context.addServletMappingDecoded("/visit", "visit");
        return context;
    }

    private static MemcachedBackupSessionManager manager(Map<String, String> attributes) {
        MemcachedBackupSessionManager manager = new MemcachedBackupSessionManager();
        attributes.forEach((name, value) -> {
            if (!IntrospectionUtils.setProperty(manager, name, value)) {
                throw new IllegalArgumentException(name + ": MSM's manager has no such attribute");
            }
        });
        return manager;
    }

    private static void waitForEndOfInput() throws IOException {
        int read = 0;
        while (read >= 0) {
            read = System.in.read();
        }
    }
}
