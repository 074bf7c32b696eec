//! Tokens in a file, for an API without a cluster.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::Caller;
use super::token::{Fingerprint, fingerprint, is_token};
use crate::reload::{self, Follower};

/// Shortest token, in characters: 128 bits in hexadecimal.
const MIN_LEN: usize = 32;
/// Longest token, in characters.
const MAX_LEN: usize = 4096;
/// Longest name, in characters.
const MAX_NAME_LEN: usize = 64;
/// What a file allows those who are neither its owner nor in its group.
const OTHERS: u32 = 0o007;
/// Most tokens of a file.
const MAX_TOKENS: usize = 1000;

/// A file of tokens, followed while the process runs.
///
/// One `name: token` a line; blank lines and those that begin with `#` are passed over. A name may
/// have several tokens, so that one can be replaced without a gap.
pub type TokenFile = Follower<1, Vec<Entry>>;

/// The tokens that the file holds now.
#[derive(Clone, Debug)]
pub struct Tokens(watch::Receiver<Vec<Entry>>);

/// A token and whose it is.
#[derive(Clone, Debug)]
pub struct Entry {
    caller: Arc<Caller>,
    token: Fingerprint,
}

/// What is wrong with a file of tokens. Never shows one.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("everybody on this machine may read or write it: chmod 600 it")]
    Open,
    #[error("it is not UTF-8")]
    NotText,
    #[error("line {0} is not 'name: token'")]
    Line(usize),
    #[error("line {0}: a name is 1 to {MAX_NAME_LEN} characters of A-Z a-z 0-9 . _ @ -")]
    Name(usize),
    #[error(
        "line {0}: a token is {MIN_LEN} to {MAX_LEN} characters of A-Z a-z 0-9 - . _ ~ + / =; openssl rand -hex 32 makes one"
    )]
    Token(usize),
    #[error("line {0}: the token is there already")]
    Twice(usize),
    #[error("it has no tokens, so nobody could call")]
    Empty,
    #[error("it has more than {MAX_TOKENS} tokens")]
    TooMany,
}

impl Tokens {
    /// How to come by a token.
    pub(super) const ADVICE: &str = "send 'Authorization: Bearer TOKEN' with one of the token file";

    /// Reads a file of tokens. The service follows its changes.
    pub async fn open(path: PathBuf) -> Result<(TokenFile, Self), reload::Error> {
        let at = path.clone();
        let (file, entries) = Follower::open([path], move |[content]| {
            private(&at).and_then(|()| parse(content)).map_err(|wrong| wrong.to_string())
        })
        .await?;
        Ok((file, Self(entries)))
    }

    /// Whose token this is. Takes as long for one that is nobody's.
    pub(super) fn caller(&self, token: &Fingerprint) -> Option<Arc<Caller>> {
        let entries = self.0.borrow();
        let found = entries.iter().fold(None, |found, entry| {
            if bool::from(entry.token.ct_eq(token)) { Some(&entry.caller) } else { found }
        });
        found.map(Arc::clone)
    }
}

/// A secret that all may read is none.
fn private(path: &Path) -> Result<(), Wrong> {
    use std::os::unix::fs::PermissionsExt;
    // Where the mode cannot be read, the content could not either.
    let mode = std::fs::metadata(path).map_or(0, |it| it.permissions().mode());
    if mode & OTHERS == 0 { Ok(()) } else { Err(Wrong::Open) }
}

fn parse(content: &[u8]) -> Result<Vec<Entry>, Wrong> {
    let text = str::from_utf8(content).map_err(|_| Wrong::NotText)?;
    let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, token) = line.split_once(':').ok_or(Wrong::Line(number))?;
        let (name, token) = (name.trim(), token.trim());
        if !is_name(name) {
            return Err(Wrong::Name(number));
        }
        if !(MIN_LEN..=MAX_LEN).contains(&token.len()) || !is_token(token) {
            return Err(Wrong::Token(number));
        }
        let token = fingerprint(token);
        if !seen.insert(token) {
            return Err(Wrong::Twice(number));
        }
        entries.push(Entry { caller: Arc::new(Caller::named(name)), token });
    }
    match entries.len() {
        0 => Err(Wrong::Empty),
        1..=MAX_TOKENS => Ok(entries),
        _ => Err(Wrong::TooMany),
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._@-".contains(&b);
    (1..=MAX_NAME_LEN).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    #[tokio::test]
    async fn a_token_has_the_name_of_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap(); // With mode 600.
        fs::write(file.path(), format!("# who may call\n\n ci: {ONE}\nalice@example.com:{TWO}\n")).unwrap();
        let (_, tokens) = Tokens::open(file.path().to_owned()).await.unwrap();
        let name = |token| tokens.caller(&fingerprint(token)).map(|caller| caller.user.clone());
        assert_eq!(name(ONE).as_deref(), Some("ci"));
        assert_eq!(name(TWO).as_deref(), Some("alice@example.com"));
        assert_eq!(name("0123456789abcdef0123456789abcdee"), None);
        assert!(!format!("{tokens:?}").contains(ONE));
    }

    #[tokio::test]
    async fn a_file_that_all_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("ci: {ONE}")).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let error = Tokens::open(file.path().to_owned()).await.unwrap_err().to_string();
        assert!(error.ends_with("everybody on this machine may read or write it: chmod 600 it"), "{error}");
        assert!(Tokens::open("/nowhere".into()).await.unwrap_err().to_string().contains("/nowhere"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_its_token() {
        for (text, says) in [
            ("", "it has no tokens"),
            ("# none\n", "it has no tokens"),
            (ONE, "line 1 is not 'name: token'"),
            (&*format!("\n: {ONE}"), "line 2: a name is"),
            (&format!("a b: {ONE}"), "line 1: a name is"),
            ("ci: short-token", "line 1: a token is 32 to 4096 characters"),
            (&format!("ci: {ONE} {TWO}"), "line 1: a token is"),
            (&format!("ci: {}", "=".repeat(40)), "line 1: a token is"),
            (&format!("ci: {}", "x".repeat(4097)), "line 1: a token is"),
            (&format!("a: {ONE}\nb: {ONE}"), "line 2: the token is there already"),
            (
                &(0..1001).map(|n| format!("a: {n:032}")).collect::<Vec<_>>().join("\n"),
                "more than 1000 tokens",
            ),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains(ONE) && !error.contains("short-token"), "{error}");
        }
        assert!(parse(&[0xff]).is_err());
    }
}
