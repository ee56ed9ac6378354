//! Inputs that have hurt memcached: the bug, what was sent, and how the answer must begin.

/// One of them.
pub type Attack = (&'static str, String, &'static str);

/// Those on the classic text commands.
pub fn on_classic_commands() -> Vec<Attack> {
    let long = "k".repeat(1500);
    let spaces = " ".repeat(200);
    vec![
        (
            "CVE-2009-2415",
            "set a 0 0 -1\r\n".to_owned(),
            "CLIENT_ERROR",
        ),
        (
            "CVE-2009-2415",
            "set a 0 0 4294967295\r\n".to_owned(),
            "CLIENT_ERROR",
        ),
        (
            "CVE-2009-2415",
            "set a 0 0 -2147483648\r\n".to_owned(),
            "CLIENT_ERROR",
        ),
        (
            "CVE-2009-2415",
            "append a 0 0 2147483647\r\n".to_owned(),
            "CLIENT_ERROR",
        ),
        ("CVE-2009-1255", "stats maps\r\n".to_owned(), "ERROR"),
        ("CVE-2009-1255", "stats malloc\r\n".to_owned(), "ERROR"),
        (
            "CVE-2013-0179",
            format!("delete {long}\r\n"),
            "CLIENT_ERROR",
        ),
        ("CVE-2013-0179", format!("get {long}\r\n"), "CLIENT_ERROR"),
        (
            "CVE-2013-0179",
            format!("touch {long} 0\r\n"),
            "CLIENT_ERROR",
        ),
        (
            "CVE-2013-7290",
            format!("incr {long} 1\r\n"),
            "CLIENT_ERROR",
        ),
        ("CVE-2013-7291", format!("gat 0 {long}\r\n"), "CLIENT_ERROR"),
        ("CVE-2019-11596", "lru mode\r\n".to_owned(), "ERROR"),
        ("CVE-2019-11596", "lru temp_ttl\r\n".to_owned(), "ERROR"),
        ("CVE-2023-46852", format!("get{spaces}key1 key2\r\n"), "END"),
        ("CVE-2023-46853", "get key\n".to_owned(), "END"),
        ("2026-05", "slabs reassign 999 -5\r\n".to_owned(), ""),
        ("2026-05", "slabs automove window 0\r\n".to_owned(), ""),
        (
            "2026-05",
            "slabs automove window 67108864\r\n".to_owned(),
            "",
        ),
        ("2026", format!("get{}\r\n", " ".repeat(2000)), ""),
        ("2026", format!("{}\r\n", " ".repeat(2040)), "ERROR"),
        ("2026", " ".repeat(4095), ""),
        ("2026-07", "\r\n\r\n\r\n\r\n".to_owned(), "CLIENT_ERROR"),
    ]
}

/// Those on the meta commands.
pub fn on_meta_commands() -> Vec<Attack> {
    let long = "k".repeat(1500);
    vec![
        (
            "2026-07",
            "ms key S99 T0 F x x\r\n".to_owned(),
            "CLIENT_ERROR bad command line format",
        ),
        (
            "2026-07",
            "ms key 2 T0 F x x\r\nab\r\n".to_owned(),
            "CLIENT_ERROR duplicate flag",
        ),
        (
            "2026-07",
            "ms key 2 C\r\nab\r\nmn\r\n".to_owned(),
            "CLIENT_ERROR bad token in command line format\r\nMN\r\n",
        ),
        (
            "CVE-2020-22570",
            "mg key s s s s v v O k q t t c f\r\n".to_owned(),
            "CLIENT_ERROR duplicate flag",
        ),
        (
            "CVE-2020-22570",
            format!("mg key{}\r\n", " v".repeat(900)),
            "CLIENT_ERROR options flags are too long",
        ),
        (
            "CVE-2020-22570",
            format!("mg key k O{long}\r\n"),
            "CLIENT_ERROR opaque token too long",
        ),
        (
            "meta keys",
            format!("mg {} b k v\r\n", "////".repeat(63)),
            "CLIENT_ERROR bad command line format",
        ),
        (
            "meta keys",
            format!("me {} b\r\n", "=".repeat(248)),
            "CLIENT_ERROR bad command line format",
        ),
        (
            "meta lengths",
            "ms key 2147483646 T0\r\n".to_owned(),
            "CLIENT_ERROR bad command line format",
        ),
    ]
}
