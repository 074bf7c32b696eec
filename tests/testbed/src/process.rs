//! A program that ends when its owner does.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{Error, Folder};

/// Runs a program and ends as it ends. Lines on standard input are signals to send to it; at the end of the input,
/// however that came about, the program is killed. Standard output is an end of the folder's leash: to hold, not to
/// write to, and not for the program.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
program=$!
(
    while read -r signal; do kill -s "$signal" "$program"; done
    kill -s KILL "$program"
) <&3 >&2 &
leash=$!
wait "$program"
status=$?
kill -s KILL "$leash" 2>/dev/null
exit "$status"
"#;

/// How often a state is looked at that nothing tells about.
const POLL: Duration = Duration::from_millis(10);

/// How many bytes of a log an error shows.
const LOG_TAIL: usize = 4096;

/// Where the output of a program goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To the file `<name>.log` in the folder of the process.
    Log,
    /// To the standard error of this process.
    Terminal,
}

/// What can be sent to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Terminate,
    /// End at once: the program gets no chance to do anything.
    Kill,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
        })
    }
}

/// A running program, killed when this value is dropped or this process ends in any way.
#[derive(Debug)]
pub struct Process {
    name: String,
    supervisor: Child,
    folder: Arc<Folder>,
}

impl Process {
    /// Starts `command` (its program, arguments, environment and folder) under a name that is its own within `folder`.
    pub fn start(folder: &Arc<Folder>, name: &str, command: &Command, output: Output) -> Result<Self, Error> {
        let failed = || Error::io(format!("start {name}"));
        let mut supervisor = Command::new("/bin/sh");
        supervisor.args(["-c", SUPERVISOR, name]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => supervisor.env(key, value),
                None => supervisor.env_remove(key),
            };
        }
        if let Some(working) = command.get_current_dir() {
            supervisor.current_dir(working);
        }
        let stderr = match output {
            Output::Log => {
                let log = fs::File::options().create(true).append(true).open(log_path(folder, name));
                Stdio::from(log.map_err(failed())?)
            }
            Output::Terminal => Stdio::inherit(),
        };
        supervisor
            .stdin(Stdio::piped())
            .stdout(folder.hold().map_err(failed())?)
            .stderr(stderr)
            .process_group(0); // out of reach of Ctrl-C: whoever is on the terminal decides what to end, and how
        let supervisor = supervisor.spawn().map_err(failed())?;
        Ok(Self { name: name.to_owned(), supervisor, folder: Arc::clone(folder) })
    }

    /// Sends a signal to the program.
    pub fn signal(&mut self, signal: Signal) -> Result<(), Error> {
        match &mut self.supervisor.stdin {
            Some(leash) => writeln!(leash, "{signal}"),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
        .map_err(Error::io(format!("send {signal} to {}", self.name)))
    }

    /// Waits until the program has ended. The status of one that a signal ended is 128 and the signal's number.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus, Error> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.late("ended", within));
            }
            sleep(POLL).await;
        }
    }

    /// Waits until `state` holds, and fails when the program ends before, or `within` has passed.
    pub async fn until(
        &mut self,
        state: &'static str,
        within: Duration,
        holds: impl AsyncFn(&Self) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        while !holds(self).await {
            if let Some(status) = self.status()? {
                return Err(Error::Ended { program: self.name.clone(), status, log: self.log_tail() });
            }
            if Instant::now() > deadline {
                return Err(self.late(state, within));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// What the program wrote since its name was first used in the folder; nothing when that went to the terminal.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(log_path(&self.folder, &self.name)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        log[log.ceil_char_boundary(log.len().saturating_sub(LOG_TAIL))..].to_owned()
    }

    fn status(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.supervisor.try_wait().map_err(Error::io(format!("ask how {} is", self.name)))
    }

    fn late(&self, state: &'static str, within: Duration) -> Error {
        Error::Late { program: self.name.clone(), state, within, log: self.log_tail() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait(); // nothing to do about a supervisor that is gone already
    }
}

fn log_path(folder: &Folder, name: &str) -> PathBuf {
    folder.path().join(format!("{name}.log"))
}
