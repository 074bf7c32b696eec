//! Flags, environment and configuration file, turned once into a valid [`Config`].
//!
//! One parser serves all three: a key of the file is the flag of the same name, used where neither
//! the command line nor the environment says otherwise. So a setting cannot exist in one place and
//! be missing, or mean something else, in another.

mod file;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use hookwright_engine::event;
use ipnet::IpNet;
use tracing_subscriber::filter::Targets;

use crate::cli;
use crate::telemetry::traces::Endpoint;

/// The folder of the database, where nobody says otherwise: the volume of the pod.
const DATA: &str = "/var/lib/hookwright";

/// What the process was started for.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // There is one, and it is moved once.
pub enum Config {
    /// Run in a cluster: follow Webhook objects and deliver the events published to the API
    Operator(Operator),
    /// Run without a cluster, on a folder of Webhook, Secret and WebhookDelivery manifests
    Standalone(Standalone),
    /// Copy the queue to a file, while it is in use or not
    Backup(Backup),
    /// Put a copy of the queue in its place, while nobody uses it
    Restore(Restore),
    /// What users of the API do.
    #[command(flatten)]
    Use(cli::Command),
    /// Print the custom resource definitions as YAML
    Crds,
    /// Print the description of the REST API as OpenAPI 3.1
    Openapi,
    /// Write the reference of fields, settings and commands as Markdown
    Reference(Reference),
    /// Print the version
    Version,
}

/// Settings of the operator.
#[derive(Debug, Args)]
pub struct Operator {
    /// Address of the API
    #[arg(long, env = "HOOKWRIGHT_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:8787")]
    pub listen: SocketAddr,
    /// What both ways of running share.
    #[command(flatten)]
    pub service: Service,
    /// Audience that tokens of callers must have been issued for; repeat for several
    #[arg(long, env = "HOOKWRIGHT_AUDIENCE", value_name = "AUDIENCE", value_delimiter = ',')]
    #[arg(default_value = "hookwright.dev", value_parser = NonEmptyStringValueParser::new())]
    pub audience: Vec<String>,
    /// Folder of the database
    #[arg(long, env = "HOOKWRIGHT_DATA", value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// Namespace to serve; repeat for several [default: all]
    #[arg(long, env = "HOOKWRIGHT_NAMESPACE", value_name = "NAMESPACE", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Most status writes per second to the API server
    #[arg(long, env = "HOOKWRIGHT_STATUS_WRITES_PER_SECOND", value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub status_writes_per_second: u32,
    /// Most WebhookDelivery objects kept in the cluster
    #[arg(long, env = "HOOKWRIGHT_DELIVERY_OBJECTS", value_name = "N", default_value_t = 5000)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub delivery_objects: u32,
    /// How changes of Secrets are noticed: poll reads those that webhooks name again, watch needs the
    /// right to list all
    #[arg(long, env = "HOOKWRIGHT_SECRET_CHANGES", value_name = "HOW", default_value = "poll")]
    pub secret_changes: SecretChanges,
    /// Seconds until a Secret is read again, with poll
    #[arg(long, env = "HOOKWRIGHT_SECRET_POLL_SECONDS", value_name = "SECONDS", default_value_t = 300)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub secret_poll_seconds: u32,
    /// Form of the log on stderr
    #[arg(long, env = "HOOKWRIGHT_LOG_FORMAT", value_name = "FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// Least severe level logged: error, warn, info, debug, trace, or pairs such as hookwright=debug
    #[arg(long, env = "HOOKWRIGHT_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: Targets,
}

/// Settings of standalone mode.
#[derive(Debug, Args)]
pub struct Standalone {
    /// Folder of manifests (YAML or JSON); changes are followed
    #[arg(value_name = "DIR")]
    pub manifests: PathBuf,
    /// Address of the API; beyond loopback only with a token file
    #[arg(long, env = "HOOKWRIGHT_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// What both ways of running share.
    #[command(flatten)]
    pub service: Service,
    /// File with the tokens of callers, one 'name: token' a line; changes are followed
    /// [default: none, and whoever is on this machine may call]
    #[arg(long, env = "HOOKWRIGHT_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Folder of the database [default: a temporary one, gone at exit]
    #[arg(long, env = "HOOKWRIGHT_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Form of the log on stderr
    #[arg(long, env = "HOOKWRIGHT_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Least severe level logged: error, warn, info, debug, trace, or pairs such as hookwright=debug
    #[arg(long, env = "HOOKWRIGHT_LOG_LEVEL", value_name = "LEVEL", default_value = "warn")]
    pub log_level: Targets,
}

/// Where the reference goes.
#[derive(Debug, Args)]
pub struct Reference {
    /// Folder to write it into
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Where the queue is copied from and to.
#[derive(Debug, Args)]
pub struct Backup {
    /// Folder of the database
    #[arg(long, env = "HOOKWRIGHT_DATA", value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// File that is made; - for the standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Where the queue is put back, and what from.
#[derive(Debug, Args)]
pub struct Restore {
    /// Folder of the database
    #[arg(long, env = "HOOKWRIGHT_DATA", value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// File that `hookwright backup` has made; - for the standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Put it in the place of a database that is there already
    #[arg(long)]
    pub replace: bool,
}

/// Settings of both ways of running.
#[derive(Debug, Args)]
pub struct Service {
    /// Configuration file (YAML); each key is a flag without its dashes
    #[arg(long, env = "HOOKWRIGHT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Certificate chain of the API (PEM), with --tls-key; changes are followed [default: no TLS]
    #[arg(long, env = "HOOKWRIGHT_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "HOOKWRIGHT_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Private range that receivers may be in, as a CIDR, or none; repeat for several
    /// [default: none, and loopback in standalone mode]
    #[arg(long, env = "HOOKWRIGHT_EGRESS_ALLOW", value_name = "CIDR", value_delimiter = ',')]
    pub egress_allow: Vec<EgressAllow>,
    /// URL of the collector that traces are sent to, over OTLP/HTTP; the standard variables of
    /// OpenTelemetry say more of it [default: the one that these name, else no traces]
    #[arg(long, env = "HOOKWRIGHT_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<Endpoint>,
    /// What is bounded, and where.
    #[command(flatten)]
    pub limits: Limits,
}

/// Limits of both ways of running.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Largest event accepted, in bytes
    #[arg(long, env = "HOOKWRIGHT_MAX_EVENT_BYTES", value_name = "BYTES")]
    #[arg(default_value_t = u32::try_from(event::DEFAULT_MAX_BYTES).unwrap_or(MAX_EVENT_BYTES))]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_EVENT_BYTES)))]
    pub max_event_bytes: u32,
    /// Most requests to receivers at a time, over all webhooks
    #[arg(long, env = "HOOKWRIGHT_MAX_IN_FLIGHT", value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_in_flight: u32,
    /// Days that ended deliveries and their events are kept
    #[arg(long, env = "HOOKWRIGHT_RETENTION_DAYS", value_name = "DAYS", default_value_t = 7)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3650))]
    retention_days: u32,
    /// Most bytes of the database; the oldest ended deliveries make room
    #[arg(long, env = "HOOKWRIGHT_RETENTION_BYTES", value_name = "BYTES", default_value_t = 4 << 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(MIN_RETENTION_BYTES..))]
    pub retention_bytes: u64,
    /// Seconds that requests under way have to end in after SIGTERM or SIGINT
    #[arg(long, env = "HOOKWRIGHT_SHUTDOWN_GRACE_SECONDS", value_name = "SECONDS", default_value_t = 25)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=3600))]
    shutdown_grace_seconds: u32,
}

/// The largest event that the configuration can allow.
const MAX_EVENT_BYTES: u32 = 1024 * 1024;
/// A smaller database has no room for one batch of the largest events.
const MIN_RETENTION_BYTES: u64 = 16 << 20;

impl Limits {
    /// How long ended deliveries and their events are kept.
    #[must_use]
    pub fn retention_age(&self) -> Duration {
        Duration::from_hours(u64::from(self.retention_days) * 24)
    }

    /// How long requests under way have to end in at shutdown.
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds.into())
    }
}

/// A range that receivers may be in beside the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressAllow {
    /// No range: only says that the default does not hold.
    None,
    /// This range.
    Range(IpNet),
}

impl FromStr for EgressAllow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        text.parse().map(Self::Range).map_err(|_| "expected a CIDR such as 10.1.0.0/16, or none".to_owned())
    }
}

impl Service {
    /// The private ranges that receivers may be in; `default` where nothing was said.
    #[must_use]
    pub fn egress_allow(&self, default: &[IpNet]) -> Vec<IpNet> {
        if self.egress_allow.is_empty() {
            return default.to_vec();
        }
        let range = |allow: &EgressAllow| match allow {
            EgressAllow::None => None,
            EgressAllow::Range(range) => Some(*range),
        };
        self.egress_allow.iter().filter_map(range).collect()
    }
}

/// How changes of Secrets are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretChanges {
    /// By reading them again.
    Poll,
    /// At once.
    Watch,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line or the environment is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The configuration file is.
    #[error("failed to read the configuration file {path}: {detail}")]
    File {
        /// The file.
        path: String,
        /// What is wrong in it.
        detail: String,
    },
    /// Everybody could call.
    #[error(
        "refused to listen on {0} without tokens, as whoever reaches it could do everything: name a \
         --token-file, or listen on loopback, as on 127.0.0.1:8787"
    )]
    Exposed(SocketAddr),
}

/// Webhooks as Kubernetes objects: signed, retried, durable delivery
#[derive(Debug, Parser)]
#[command(name = "hookwright", version, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    config: Config,
}

impl Config {
    /// Reads the command line (with the program's name first), the environment and the
    /// configuration file that they name.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let mut arguments: Vec<OsString> = arguments.into_iter().collect();
        let command = CommandLine::command();
        let mut matches = command.clone().try_get_matches_from(&arguments)?;
        if let Some((name, given)) = matches.subcommand()
            && let Ok(Some(path)) = given.try_get_one::<PathBuf>("config")
            && let Some(known) = command.find_subcommand(name)
        {
            let wrong = |detail| ConfigError::File { path: path.display().to_string(), detail };
            let settings = file::flags(path, known, given).map_err(wrong)?;
            // Behind the subcommand's name, which nothing but flags for help can precede.
            arguments.splice(2..2, settings);
            matches = command
                .try_get_matches_from(arguments)
                // The command line alone was right.
                .map_err(|error| wrong(file::first_line(&error)))?;
        }
        let CommandLine { config } = CommandLine::from_arg_matches(&matches)?;
        match &config {
            Self::Standalone(settings)
                if settings.token_file.is_none() && !settings.listen.ip().is_loopback() =>
            {
                Err(ConfigError::Exposed(settings.listen))
            }
            Self::Operator(_)
            | Self::Standalone(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Reference(_)
            | Self::Use(_)
            | Self::Crds
            | Self::Openapi
            | Self::Version => Ok(config),
        }
    }
}

#[cfg(test)]
mod tests;
