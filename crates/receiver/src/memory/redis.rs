//! A memory that several processes share, in Redis.

use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client, RedisError, RedisResult, SetExpiry, SetOptions, Value};

use super::{CLAIMED, Claim, Memory, REMEMBERED};

/// Begins the names of all keys where nothing else is said.
const PREFIX: &str = "hookwright:event:";
const CLAIM: &str = "claimed";
const DONE: &str = "done";

/// Remembers events in Redis: for receivers of several processes, and across restarts.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    prefix: String,
}

impl Redis {
    /// Connects to a server (`redis://host:6379/0`), and again when the connection breaks.
    pub async fn connect(url: &str) -> Result<Self, RedisError> {
        let connection = ConnectionManager::new(Client::open(url)?).await?;
        Ok(Self { connection, prefix: PREFIX.to_owned() })
    }

    /// Begins the names of its keys otherwise than with `hookwright:event:`.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    fn key(&self, event: &str) -> String {
        format!("{}{event}", self.prefix)
    }
}

impl Memory for Redis {
    type Error = RedisError;

    async fn claim(&self, event: &str) -> Result<Claim, RedisError> {
        // Sets the key where there is none, and answers what was there, in one step.
        let claim = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .get(true)
            .with_expiration(SetExpiry::PX(millis(CLAIMED)));
        let before: Option<String> =
            self.connection.clone().set_options(self.key(event), CLAIM, claim).await?;
        Ok(match before.as_deref() {
            None => Claim::New,
            Some(DONE) => Claim::Done,
            Some(_) => Claim::InProgress,
        })
    }

    async fn keep(&self, event: &str) -> RedisResult<()> {
        let _: Value = self.connection.clone().pset_ex(self.key(event), DONE, millis(REMEMBERED)).await?;
        Ok(())
    }

    async fn release(&self, event: &str) -> RedisResult<()> {
        self.connection.clone().del(self.key(event)).await
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Redis {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use hookwright_testbed::{Folder, Output, Process, project};

    use super::*;
    use crate::memory::tests::remembers;

    /// A Redis of its own, on a socket in a folder of its own.
    async fn server() -> (Process, String) {
        let folder = Folder::temporary().unwrap();
        let socket = folder.path().join("redis.sock");
        let mut command = Command::new(project().join("bin/redis-server"));
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket).current_dir(folder.path());
        let mut server = Process::start(&folder, "redis", &command, Output::Log).unwrap();
        let listens = async |server: &Process| server.log().contains("The server is now ready");
        server.until("listening", Duration::from_secs(30), listens).await.unwrap();
        (server, format!("redis+unix://{}", socket.display()))
    }

    #[tokio::test]
    async fn processes_share_what_they_know_of_events() {
        let (_server, url) = server().await;
        let memory = Redis::connect(&url).await.unwrap();
        remembers(&memory).await;
        let other = Redis::connect(&url).await.unwrap();
        assert_eq!(other.claim("evt_1").await.unwrap(), Claim::Done);
        assert_eq!(other.claim("evt_2").await.unwrap(), Claim::InProgress);
        assert_eq!(other.prefix("other:").claim("evt_1").await.unwrap(), Claim::New);

        let mut connection = memory.connection.clone();
        for (event, period) in [("evt_1", REMEMBERED), ("evt_2", CLAIMED)] {
            let left: u64 = connection.pttl(memory.key(event)).await.unwrap();
            assert!((millis(period) - 60_000..=millis(period)).contains(&left), "{event} {left}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_told_of() {
        let (server, url) = server().await;
        let memory = Redis::connect(&url).await.unwrap();
        drop(server);
        memory.claim("evt_1").await.unwrap_err();
    }
}
