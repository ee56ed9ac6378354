//! Files that are read as a whole: regular ones of a bounded size. A pipe could keep a process
//! waiting for ever, and a device has no end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file, and nothing else.
///
/// # Errors
/// It cannot be opened or is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // To open a pipe would wait for its writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    Ok(file)
}

/// Reads a whole file of at most so many bytes.
///
/// # Errors
/// It cannot be read, is no regular file or is longer.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_open(open(path)?, bytes_max)
}

/// Reads an open file.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_open(file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!(
            "is longer than {bytes_max} bytes"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A configuration that was a pipe kept `check-config` waiting for ever, and one that was a
    /// device without an end took memory until there was none.
    #[test]
    fn only_a_regular_file_is_read_and_only_up_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            let error = read(path, 8).unwrap_err().to_string();
            assert_eq!(error, "is no regular file", "{}", path.display());
        }
        let file = dir.path().join("file");
        for (text, fits) in [("", true), ("12345678", true), ("123456789", false)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&file, 8).is_ok(), fits, "{text}");
        }
        assert!(read(&dir.path().join("none"), 8).is_err());
    }
}
