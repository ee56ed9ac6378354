//! Forms that the values of memcached's flags have.

use super::*;

/// memcached skips the blanks before every value; here they were part of most: ` modern` was an
/// unknown option, ` root` no user, and ` sock` another file.
#[test]
fn blanks_before_a_value_do_not_count() {
    let flags = [
        ["-o", " track_sizes"],
        ["-B", "\tascii"],
        ["-u", " root"],
        ["-Y", " users"],
        ["-s", " \u{b}sock"],
        ["-P", "  pid x "],
        ["-a", " 755"],
        ["-D", " /"],
        ["-m", " 70"],
        ["-I", " 2m"],
    ];
    let line = ["memtwin"].into_iter().chain(flags.into_iter().flatten());
    let config = read_args(line).unwrap();
    let client = config.client;
    assert!(client.track_sizes && client.protocol == Protocol::Ascii);
    assert_eq!(config.node.user.as_deref(), Some("root"));
    assert_eq!(client.auth_file.as_deref(), Some(Path::new("users")));
    assert_eq!(client.socket.as_deref(), Some(Path::new("sock")));
    assert_eq!(config.node.pid_file.as_deref(), Some(Path::new("pid x ")));
    assert_eq!((client.socket_mode, client.prefix_delimiter), (0o755, b'/'));
    assert_eq!(config.memory.limit_bytes, 70 << 20);
    assert_eq!(config.memory.max_item_bytes, 2 << 20);
}

#[test]
fn with_a_unix_socket_nobody_looks_at_ports_and_addresses() {
    for line in [
        "-s x -p -2",
        "-s x -p 0",
        "-s x -l notls:::1",
        "-s x -l nonsense -l ,",
    ] {
        assert!(read(line).unwrap().client.addresses.is_empty(), "{line}");
    }
    let problem = read_args(["memtwin", "-s", " "]);
    assert_eq!(problem.unwrap_err().exit, 71);
    let problem = read_args(["memtwin", "-s", ""]);
    assert_eq!(problem.unwrap_err().exit, 1);
}

#[test]
fn verbose_counts_and_takes_any_value() {
    for (line, verbosity) in [
        ("--verbose=3", 1),
        ("--verb=x --verbose= -v", 3),
        ("-vvv -d", 3),
        ("-dvv --verbose", 3),
    ] {
        assert_eq!(read(line).unwrap().node.verbosity, verbosity, "{line}");
    }
    assert_eq!(exit("--verbose 3").0, 64);
}

#[test]
fn listen_takes_lists_repeats_and_ports() {
    let listen = |line| {
        let addresses = read(line).unwrap().client.addresses.concat();
        let shown = addresses.iter().map(ToString::to_string);
        shown.collect::<Vec<_>>()
    };
    assert_eq!(listen("-l 127.0.0.1,::1 -p 7"), ["127.0.0.1:7", "[::1]:7"]);
    let twice = listen("-l 127.0.0.1:5 -l [::1]:6 -l 127.0.0.1:5");
    assert_eq!(twice, ["127.0.0.1:5", "[::1]:6"]);
    let any_port = listen("-l 127.0.0.1:5;127.0.0.2 -p -1");
    assert_eq!(any_port, ["127.0.0.1:5", "127.0.0.2:0"]);
    assert_eq!(listen("-l *:9"), ["0.0.0.0:9", "[::]:9"]);
}
