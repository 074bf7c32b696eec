//! A folder that goes when its owner does.

use std::{
    io::{BufRead, BufReader, Read},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use crate::Error;

/// Makes the folder, says where it is, and removes it when nobody holds the other end of its standard input any more.
const KEEPER: &str = r#"
case $1 in
    *XXXXXX) folder=$(mktemp -d "$1") ;;
    *) folder=$1; mkdir -m 700 "$folder" ;;
esac || exit
echo "$folder"
cat >/dev/null
rm -rf -- "$folder"
"#;

/// Where the kernel keeps files in memory, and how much room a control plane wants there.
const MEMORY: (&str, u64) = ("/dev/shm", 1 << 30);

/// A folder of mode 700 that is removed with everything in it when this value is dropped, or this process ends in
/// any way, and every [`Process`](crate::Process) in it has ended.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    keeper: Child,
    leash: Option<OwnedFd>,
}

impl Folder {
    /// A new folder with a name of its own: in memory where there is room, else where the system keeps temporary files.
    pub fn temporary() -> Result<Arc<Self>, Error> {
        let (memory, room) = MEMORY;
        let in_memory = rustix::fs::statvfs(memory).is_ok_and(|fs| fs.f_bavail * fs.f_frsize >= room);
        let parent = if in_memory { PathBuf::from(memory) } else { std::env::temp_dir() };
        Self::create(&parent.join("hookwright-XXXXXX"))
    }

    /// A new folder at `path`, which must not exist. A path that ends in `XXXXXX` is a template, as for `mktemp`.
    pub fn create(path: &Path) -> Result<Arc<Self>, Error> {
        let failed = || Error::io(format!("make the folder {}", path.display()));
        let mut keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0) // out of reach of Ctrl-C: it cleans up after those that are not
            .spawn()
            .map_err(failed())?;
        let leash = keeper.stdin.take().map(OwnedFd::from);
        let mut made = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            BufReader::new(stdout).read_line(&mut made).map_err(failed())?;
        }
        let stderr = keeper.stderr.take();
        let Some(made) = made.strip_suffix('\n') else {
            let mut why = String::new();
            stderr.map(|mut stderr| stderr.read_to_string(&mut why)).transpose().map_err(failed())?;
            keeper.wait().map_err(failed())?;
            return Err(failed()(std::io::Error::other(why.trim().to_owned())));
        };
        Ok(Arc::new(Self { path: PathBuf::from(made), keeper, leash }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A further end of the leash: the folder stays as long as somebody has one.
    pub(crate) fn hold(&self) -> std::io::Result<Stdio> {
        let leash = self.leash.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(leash.map_or_else(Stdio::null, Stdio::from))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.leash.take());
        let _ = self.keeper.wait(); // nothing to do about a keeper that is gone already
    }
}
