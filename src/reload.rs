//! Files that are followed: tokens and certificates are replaced while the process runs.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// How often files are looked at. Looking is sure where a mounted Secret is replaced by renaming a
/// folder, which those who watch a file are not told of.
const PERIOD: Duration = Duration::from_secs(2);

/// Why files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// One cannot be read.
    #[error("failed to read {path}: {detail}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        detail: String,
    },
    /// Their content makes no sense.
    #[error("failed to use {paths}: {detail}")]
    Content {
        /// The files.
        paths: String,
        /// What is wrong.
        detail: String,
    },
}

type Make<const N: usize, T> = Box<dyn Fn(&[Vec<u8>; N]) -> Result<T, String> + Send + Sync>;

/// Follows `N` files that belong together, as a certificate and its key do.
///
/// What they hold is taken over when it is the same twice in a row, so that files half written, and
/// one of two, are not. What makes no sense is reported once, and what was there before stays.
pub struct Follower<const N: usize, T> {
    paths: [PathBuf; N],
    make: Make<N, T>,
    current: watch::Sender<T>,
    /// What was seen last, and whether it was dealt with.
    seen: (Seen, bool),
}

/// A look at the files: what they hold, in short, or why they cannot be read.
type Seen = Result<[u8; 32], Error>;

impl<const N: usize, T> std::fmt::Debug for Follower<N, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl<const N: usize, T> Follower<N, T> {
    /// Reads the files, which must make sense. Answers what they hold now and, as long as the service
    /// runs, later.
    pub async fn open(
        paths: [PathBuf; N],
        make: impl Fn(&[Vec<u8>; N]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<(Self, watch::Receiver<T>), Error> {
        let contents = read(&paths).await?;
        let wrong = |detail| Error::Content { paths: names(&paths), detail };
        let (current, receiver) = watch::channel(make(&contents).map_err(wrong)?);
        let seen = (Ok(digest(&contents)), true);
        Ok((Self { paths, make: Box::new(make), current, seen }, receiver))
    }

    /// Follows the files until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let following = async {
            loop {
                sleep(PERIOD).await;
                self.look().await;
            }
        };
        shutdown.run_until_cancelled(following).await;
    }

    async fn look(&mut self) {
        let contents = read(&self.paths).await;
        let seen = contents.as_ref().map(digest).map_err(Clone::clone);
        if self.seen.0 != seen {
            self.seen = (seen, false);
            return;
        }
        if self.seen.1 {
            return;
        }
        self.seen.1 = true;
        let files = names(&self.paths);
        let made = contents.map_err(|error| error.to_string()).and_then(|contents| (self.make)(&contents));
        match made {
            Ok(made) => {
                self.current.send_replace(made);
                tracing::info!(files, "took over what files hold now");
            }
            Err(error) => {
                tracing::error!(files, error, "failed to use what files hold now; what they held stays");
            }
        }
    }
}

async fn read<const N: usize>(paths: &[PathBuf; N]) -> Result<[Vec<u8>; N], Error> {
    let mut contents = [const { Vec::new() }; N];
    for (path, content) in paths.iter().zip(&mut contents) {
        let failed =
            |error: io::Error| Error::Read { path: path.display().to_string(), detail: error.to_string() };
        let file = File::open(path).await.map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_end(content).await.map_err(failed)?;
        if content.len() as u64 > MAX_BYTES {
            return Err(failed(io::Error::other(format!("it is larger than {MAX_BYTES} bytes"))));
        }
    }
    Ok(contents)
}

/// Of which file each byte is, too.
fn digest<const N: usize>(contents: &[Vec<u8>; N]) -> [u8; 32] {
    let digest =
        contents.iter().fold(Sha256::new(), |digest, content| digest.chain_update(Sha256::digest(content)));
    digest.finalize().into()
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    /// Two files that must hold the same text.
    async fn pair(folder: &Path) -> Result<(Follower<2, String>, watch::Receiver<String>), Error> {
        let paths = ["a", "b"].map(|name| folder.join(name));
        Follower::open(paths, |[a, b]| {
            let text = String::from_utf8(a.clone()).map_err(|error| error.to_string())?;
            if a == b { Ok(text) } else { Err("they differ".to_owned()) }
        })
        .await
    }

    fn write(folder: &Path, text: &str) {
        for name in ["a", "b"] {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_settled_and_makes_sense_is_taken_over() {
        let at = tempfile::tempdir().unwrap();
        write(at.path(), "one");
        let (mut follower, now) = pair(at.path()).await.unwrap();
        assert_eq!(*now.borrow(), "one");

        fs::write(at.path().join("a"), "two").unwrap();
        follower.look().await;
        fs::write(at.path().join("b"), "two").unwrap();
        follower.look().await;
        assert_eq!(*now.borrow(), "one", "it may change again");
        follower.look().await;
        assert_eq!(*now.borrow(), "two");

        fs::write(at.path().join("a"), "three").unwrap();
        fs::remove_file(at.path().join("b")).unwrap();
        for _ in 0..3 {
            follower.look().await;
        }
        assert_eq!(*now.borrow(), "two", "what makes no sense changes nothing");
        fs::write(at.path().join("b"), "three").unwrap();
        for _ in 0..2 {
            follower.look().await;
        }
        assert_eq!(*now.borrow(), "three");
    }

    #[tokio::test(start_paused = true)]
    async fn a_mounted_secret_is_replaced_by_renaming_a_link() {
        let at = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(at.path().join(version)).unwrap();
            write(&at.path().join(version), version);
        }
        symlink("1", at.path().join("..data")).unwrap();
        for name in ["a", "b"] {
            symlink(Path::new("..data").join(name), at.path().join(name)).unwrap();
        }
        let (follower, mut now) = pair(at.path()).await.unwrap();
        let running = tokio::spawn(follower.run(CancellationToken::new()));
        symlink("2", at.path().join("..new")).unwrap();
        fs::rename(at.path().join("..new"), at.path().join("..data")).unwrap();
        now.wait_for(|now| now == "2").await.unwrap();
        running.abort();
    }

    #[tokio::test]
    async fn at_the_begin_everything_must_make_sense() {
        let at = tempfile::tempdir().unwrap();
        let error = pair(at.path()).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to read ") && error.contains("/a: "), "{error}");
        write(at.path(), "one");
        fs::write(at.path().join("b"), "two").unwrap();
        let error = pair(at.path()).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to use ") && error.ends_with("/b: they differ"), "{error}");
        write(at.path(), &"x".repeat(1024 * 1024 + 1));
        assert!(pair(at.path()).await.unwrap_err().to_string().ends_with("larger than 1048576 bytes"));
    }
}
