//! The file of a unix socket, removed with the socket.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{self, Path, PathBuf};

use socket2::{SockAddr, Socket};

/// The file of a socket. It is removed at the end unless another process has replaced it. The
/// socket must live as long as this: until then the system gives its inode to no other file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    /// The path as configured.
    pub(crate) path: PathBuf,
    /// The absolute path, because a daemon changes its folder.
    absolute: PathBuf,
    device_inode: (u64, u64),
}

impl SocketFile {
    /// Binds a socket to a path, with this access mode.
    pub(crate) fn bind(socket: &Socket, path: &Path, mode: u32) -> io::Result<Self> {
        // A socket left by an earlier run is replaced; any other file is kept.
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let absolute = path::absolute(path)?;
        socket.bind(&SockAddr::unix(path)?)?;
        fs::set_permissions(path, Permissions::from_mode(mode & 0o777))?;
        Ok(Self {
            path: path.to_owned(),
            device_inode: device_inode(&fs::symlink_metadata(path)?),
            absolute,
        })
    }
}

fn device_inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let present = fs::symlink_metadata(&self.absolute);
        if present.is_ok_and(|present| device_inode(&present) == self.device_inode) {
            // Best effort: the next start replaces a socket that is left.
            let _ = fs::remove_file(&self.absolute);
        }
    }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Type};

    use super::*;

    fn bound(path: &Path, mode: u32) -> (SocketFile, Socket) {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        (SocketFile::bind(&socket, path, mode).unwrap(), socket)
    }

    /// Regression: `-a 7777` set the setuid bits of the socket, too.
    #[test]
    fn a_socket_mode_sets_no_setuid_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        for (mode, expected) in [(0o7777, 0o777), (0o755, 0o755), (u32::MAX, 0o777)] {
            let _bound = bound(&path, mode);
            let found = fs::metadata(&path).unwrap().mode();
            assert_eq!(found & 0o7777, expected, "{mode:o}");
        }
    }
}
