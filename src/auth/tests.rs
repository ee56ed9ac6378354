//! Password files, and how they are reloaded.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A folder with a password file, and a configuration that names it.
struct Fixture {
    folder: tempfile::TempDir,
    config: Config,
}

impl Fixture {
    fn of_text(content: &str) -> Self {
        Self::new(content, |config, path| config.client.auth_file = Some(path))
    }

    fn of_sasl(content: &str) -> Self {
        Self::new(content, |config, path| {
            config.client.sasl = true;
            config.sasl.password_file = Some(path);
        })
    }

    fn new(content: &str, set: impl FnOnce(&mut Config, PathBuf)) -> Self {
        let mut fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            config: Config::default(),
        };
        let path = fixture.write("users", content);
        set(&mut fixture.config, path);
        fixture
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn text(&self) -> Arc<Passwords> {
        Access::load(&self.config).unwrap().text.unwrap()
    }

    fn sasl(&self) -> Arc<Passwords> {
        Access::load(&self.config).unwrap().sasl.unwrap()
    }

    fn refused(&self) -> StartupError {
        Access::load(&self.config).unwrap_err()
    }
}

#[test]
fn without_authentication_there_are_no_passwords() {
    let access = Access::load(&Config::default()).unwrap();
    assert!(access.text.is_none() && access.sasl.is_none());
}

/// CVE-2021-37519: a last line without its end was read beyond the file.
#[test]
fn every_line_of_an_auth_file_is_an_entry() {
    for content in ["foo:bar\nbaz:a b:c\n", "foo:bar\r\nbaz:a b:c"] {
        let users = Fixture::of_text(content).text();
        assert!(users.admit(b"foo", b"bar"), "{content:?}");
        assert!(users.admit(b"baz", b"a b:c"), "{content:?}");
        assert!(!users.admit(b"fo", b"obar") && !users.admit(b"", b"foo:bar"));
    }
}

#[test]
fn eight_entries_of_an_auth_file_count() {
    let content: String = (1..=9).map(|user| format!("u{user}:p\n")).collect();
    let users = Fixture::of_text(&content).text();
    assert!(users.admit(b"u8", b"p"));
    assert!(!users.admit(b"u9", b"p"));
}

#[test]
fn a_bad_auth_file_is_refused_with_its_line() {
    let long = format!("a:b\nuser:{}\n", "x".repeat(251));
    for (content, says) in [
        ("a:b\nnonsense\n", "line 2 has no colon"),
        ("a:b\n\nc:d\n", "line 2 has no colon"),
        (":b\n", "line 1 names no user"),
        ("a b:c\n", "line 1 has a space"),
        ("a:b\0c\n", "line 1 has a zero byte"),
        (&long, "line 2 is longer than 255"),
        ("", "nobody could authenticate"),
    ] {
        let problem = Fixture::of_text(content).refused();
        assert_eq!(problem.exit, 1);
        assert!(problem.text.contains(says), "{content:?}: {problem}");
    }
    let longest = format!("user:{}\n", "x".repeat(250));
    let users = Fixture::of_text(&longest).text();
    assert!(users.admit(b"user", &[b'x'; 250]));
}

#[test]
fn a_missing_or_special_file_is_refused() {
    let mut fixture = Fixture::of_text("a:b\n");
    let folder = fixture.folder.path().to_owned();
    for path in [folder.join("none"), folder] {
        fixture.config.client.auth_file = Some(path);
        let words = fixture.refused().text;
        assert!(words.starts_with("Could not open authfile ["), "{words}");
    }
}

#[test]
fn a_sasl_file_is_read_as_memcached_does() {
    let users = Fixture::of_sasl("# comment\n\nnonsense\na:pass:::::\nb:x:y\r\nc@realm:z").sasl();
    for (user, password, admitted) in [
        ("a", "pass", true),
        ("a", "pass:::::", true),
        ("a", "pas", false),
        ("b", "x:y", true),
        ("b", "x", true),
        ("b", "y", false),
        ("c@realm", "z", true),
        ("c", "z", false),
        ("c@other", "z", false),
        ("nonsense", "", false),
    ] {
        let is_admitted = users.admit(user.as_bytes(), password.as_bytes());
        assert_eq!(is_admitted, admitted, "{user:?} with {password:?}");
    }
}

/// memcached's SASL library appends the host's name to a user without a realm.
#[test]
fn a_user_without_a_realm_is_also_one_of_this_host() {
    let host = rustix::system::uname();
    let host = host.nodename().to_str().unwrap();
    let users = Fixture::of_sasl(&format!("a@{host}:x\nb:y\n")).sasl();
    assert!(users.admit(b"a", b"x"));
    assert!(users.admit(format!("a@{host}").as_bytes(), b"x"));
    assert!(users.admit(b"b", b"y"));
    assert!(!users.admit(format!("b@{host}").as_bytes(), b"y"));
}

#[test]
fn bad_sasl_files_are_refused() {
    let many: String = (0..1025).map(|user| format!("u{user}:p\n")).collect();
    let long = format!("{}\n", "x:".repeat(128));
    for (content, says) in [
        ("a:\0\n", ":1: this line has a zero byte"),
        (&long, ":1: this line is longer"),
        (&many, ":1025: 1024 users"),
        ("nonsense\n", "nobody could authenticate"),
    ] {
        let problem = Fixture::of_sasl(content).refused();
        assert!(problem.text.contains(says), "{content:?}: {problem}");
    }
}

#[test]
fn a_reload_replaces_all_passwords_or_none() {
    let fixture = Fixture::of_text("a:old\nb:old\n");
    let users = fixture.text();
    fixture.write("users", "a:new\nb:new\n");
    assert!(users.admit(b"a", b"old"));
    users.reload().unwrap();
    assert!(users.admit(b"b", b"new") && !users.admit(b"b", b"old"));
    fixture.write("users", "a:newer\nnonsense\n");
    let error = users.reload().unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(users.admit(b"a", b"new") && !users.admit(b"a", b"newer"));
    fs::remove_file(fixture.folder.path().join("users")).unwrap();
    assert!(users.reload().is_err());
    assert!(users.admit(b"a", b"new"));
}

#[test]
fn users_of_the_configuration_are_reloaded_with_it() {
    let mut fixture = Fixture::of_sasl("filed:1\n");
    let toml =
        |word: &str| format!("[client]\nsasl = true\n[sasl]\nusers = {{ a = \"{word}\" }}\n");
    let path = fixture.write("config.toml", &toml("old"));
    fixture.config.sasl.users = crate::config::read_file(&path).unwrap().config.sasl.users;
    fixture.config.file = Some(path);
    let users = fixture.sasl();
    assert!(users.admit(b"a", b"old") && users.admit(b"filed", b"1"));
    fixture.write("config.toml", &toml("new"));
    users.reload().unwrap();
    assert!(users.admit(b"a", b"new") && !users.admit(b"a", b"old"));
    assert!(users.admit(b"filed", b"1"));
    fixture.write("config.toml", "[sasl]\nuser = 1\n");
    let error = users.reload().unwrap_err().to_string();
    assert!(error.contains("config.toml:2"), "{error}");
    assert!(users.admit(b"a", b"new"));
}

#[test]
fn no_password_is_shown() {
    let mut fixture = Fixture::of_sasl("filed:secret\n");
    let toml = "sasl.users.a = \"secret\"";
    fixture.config.sasl = toml::from_str::<Config>(toml).unwrap().sasl;
    let shown = format!("{:?}", fixture.config);
    assert!(!shown.contains("secret"), "{shown}");
    let toml = "[sasl]\nusers = { a = \"secret\" b = \"secret\" }\n";
    let path = fixture.write("bad.toml", toml);
    let problem = crate::config::read_file(&path).unwrap_err();
    assert!(!problem.text.contains("secret"), "{problem}");
    fixture.config.sasl.password_file = Some(fixture.write("users", "filed:secret\n"));
    let shown = format!("{:?}", fixture.sasl());
    assert!(!shown.contains("secret"), "{shown}");
}
