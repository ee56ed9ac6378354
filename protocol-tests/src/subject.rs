//! The programs under test and how they are told apart.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The last release whose answers the tag `1.6.18` of a transcript stands for. The text parser
/// was rewritten after it.
const OLD_PATCH_MAX: u32 = 30;

/// A program that speaks memcached's protocol.
#[derive(Clone, Debug)]
pub struct Subject {
    program: PathBuf,
    kind: Kind,
}

/// Which program it is, as far as expected answers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// memtwin, whatever its version says.
    Memtwin,
    /// A memcached that answers like 1.6.18, Debian 12's.
    MemcachedOld,
    /// A memcached that answers like 1.6.45, the release memtwin follows.
    MemcachedNew,
}

impl Subject {
    /// Debian's `memcached` from the `PATH`, or the program named in `MEMCACHED_BIN`.
    pub fn memcached() -> Result<Self> {
        let program = std::env::var_os("MEMCACHED_BIN").unwrap_or_else(|| "memcached".into());
        let program = PathBuf::from(program);
        let kind = if release_patch(&program)? <= OLD_PATCH_MAX {
            Kind::MemcachedOld
        } else {
            Kind::MemcachedNew
        };
        Ok(Self { program, kind })
    }

    /// The program named in `MEMTWIN_BIN`, or what the workspace has built.
    pub fn memtwin() -> Result<Self> {
        let program = match std::env::var_os("MEMTWIN_BIN") {
            Some(program) => PathBuf::from(program),
            None => built_memtwin()?,
        };
        Ok(Self {
            program,
            kind: Kind::Memtwin,
        })
    }

    /// The same program in an address space of so many KiB, started by a script in `folder`.
    pub fn in_address_space(&self, kib: u64, folder: &Path) -> Result<Self> {
        let program = folder.join(self.kind.tag());
        let limited = self.program.display();
        fs::write(
            &program,
            format!("#!/bin/sh\nulimit -v {kib}\nexec '{limited}' \"$@\"\n"),
        )?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            program,
            kind: self.kind,
        })
    }

    /// The same program on a machine whose wall clock is wrong, started by a script in `folder`.
    /// `wall` is what libfaketime takes: `-1h`, or `@1970-01-01 12:00:00`.
    pub fn with_wall_clock(&self, wall: &str, folder: &Path) -> Result<Self> {
        ensure!(
            Command::new("faketime").arg("--version").output().is_ok(),
            "cannot start faketime; apt-get install faketime"
        );
        let program = folder.join("wrong-clock");
        let real = self.program.display();
        // Not the command `faketime`: it stays the parent of the program, and dies in its place.
        fs::write(
            &program,
            format!(
                "#!/bin/sh\nexec env LD_PRELOAD='/usr/$LIB/faketime/libfaketime.so.1' \
                 FAKETIME='{wall}' DONT_FAKE_MONOTONIC=1 '{real}' \"$@\"\n"
            ),
        )?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            program,
            kind: self.kind,
        })
    }

    /// The path of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Kind {
    /// The tag with which a transcript names this subject.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Memtwin => "memtwin",
            Self::MemcachedOld => "1.6.18",
            Self::MemcachedNew => "1.6.45",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memtwin => out.write_str("memtwin"),
            Self::MemcachedOld => out.write_str("memcached (as 1.6.18)"),
            Self::MemcachedNew => out.write_str("memcached (as 1.6.45)"),
        }
    }
}

fn built_memtwin() -> Result<PathBuf> {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    };
    for profile in ["release", "debug"] {
        let program = target.join(profile).join("memtwin");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!(
        "no memtwin in {}: run `cargo build`, or set MEMTWIN_BIN",
        target.display()
    )
}

/// The x of "memcached 1.6.x".
fn release_patch(program: &Path) -> Result<u32> {
    let said = Command::new(program)
        .arg("-V")
        .output()
        .with_context(|| format!("{} -V: is memcached installed?", program.display()))?;
    let said = String::from_utf8_lossy(&said.stdout);
    let patch = said.trim().rsplit('.').next().unwrap_or_default();
    patch
        .parse()
        .with_context(|| format!("cannot read a release from {said:?}"))
}
