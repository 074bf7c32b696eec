use std::io::Write;

use super::*;

fn read(arguments: &[&str]) -> Result<Config, ConfigError> {
    Config::read(std::iter::once("hookwright").chain(arguments.iter().copied()).map(OsString::from))
}

fn operator(arguments: &[&str]) -> Operator {
    match read(&[&["operator"], arguments].concat()).unwrap() {
        Config::Operator(operator) => operator,
        other => panic!("not the operator: {other:?}"),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_operator_has_safe_defaults() {
    let operator = operator(&[]);
    assert_eq!(operator.listen, "0.0.0.0:8787".parse().unwrap());
    assert_eq!(operator.audience, ["hookwright.dev"]);
    assert_eq!(operator.service.egress_allow(&[]), []);
    assert_eq!(operator.service.limits.max_event_bytes, 256 * 1024);
    assert_eq!(operator.service.limits.retention_age(), Duration::from_hours(7 * 24));
    assert_eq!(operator.log_format, LogFormat::Json);
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    let file = file("listen: 127.0.0.1:1\nmax-in-flight: 7\nnamespace: [a, b]\nlog-level: debug\n");
    let path = file.path().to_str().unwrap();
    let operator = operator(&["--config", path, "--listen", "127.0.0.1:2", "--namespace", "c"]);
    assert_eq!(operator.listen.port(), 2);
    assert_eq!(operator.namespace, ["c"]);
    assert_eq!(operator.service.limits.max_in_flight, 7);
    assert_eq!(operator.service.limits.retention_bytes, 4 << 30);
}

#[test]
fn every_flag_is_in_the_environment_under_its_own_name() {
    // What services are set up by. Commands have flags for a single call.
    let command = CommandLine::command();
    for name in ["operator", "standalone"] {
        for arg in command.find_subcommand(name).unwrap().get_arguments() {
            let Some(long) = arg.get_long().filter(|long| *long != "help") else { continue };
            let variable = format!("HOOKWRIGHT_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        }
    }
}

#[test]
fn what_is_wrong_in_the_file_is_named_together_with_the_file() {
    for (text, says) in [
        ("listn: 127.0.0.1:1", "unknown key 'listn'; known are listen, tls-cert, tls-key, egress-allow"),
        ("config: other.yaml", "unknown key 'config'"),
        ("listen: nowhere", "invalid value 'nowhere' for '--listen <ADDR>'"),
        ("listen: {port: 1}", "listen must be a value or a list of values"),
        ("max-event-bytes: 2000000", "2000000 is not in 1..=1048576"),
        ("- listen", "invalid type: sequence"),
    ] {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let error = read(&["operator", "--config", path]).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(path) && !error.contains('\n'), "{error}");
    }
    let error = read(&["operator", "--config", "/nowhere.yaml"]).unwrap_err().to_string();
    assert!(error.starts_with("failed to read the configuration file /nowhere.yaml: "), "{error}");
}

#[test]
fn an_empty_file_sets_nothing() {
    for text in ["", "# nothing\n", "{}"] {
        assert_eq!(operator(&["--config", file(text).path().to_str().unwrap()]).namespace, [""; 0]);
    }
}

#[test]
fn egress_ranges_replace_the_default_and_none_empties_it() {
    let loopback: IpNet = "127.0.0.0/8".parse().unwrap();
    let allowed = |arguments: &[&str]| operator(arguments).service.egress_allow(&[loopback]);
    assert_eq!(allowed(&[]), [loopback]);
    assert_eq!(allowed(&["--egress-allow", "none"]), []);
    assert_eq!(allowed(&["--egress-allow", "10.0.0.0/8"]), ["10.0.0.0/8".parse().unwrap()]);
}

#[test]
fn standalone_mode_is_open_on_loopback_only() {
    for (listen, tokens, starts) in [
        ("127.0.0.1:0", None, true),
        ("[::1]:0", None, true),
        ("0.0.0.0:0", None, false),
        ("10.0.0.1:0", None, false),
        ("[::]:0", None, false),
        ("0.0.0.0:0", Some("/tokens"), true),
    ] {
        let tokens = tokens.map(|file| ["--token-file", file]);
        let arguments =
            ["standalone", "dir", "--listen", listen].into_iter().chain(tokens.into_iter().flatten());
        let config = read(&arguments.collect::<Vec<_>>());
        match config {
            Ok(Config::Standalone(settings)) => assert!(starts && settings.listen.to_string() == listen),
            Err(error @ ConfigError::Exposed(_)) => {
                assert!(!starts && error.to_string().contains("name a --token-file, or listen on loopback"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        matches!(read(&["standalone", "dir"]), Ok(Config::Standalone(it)) if it.listen.ip().is_loopback())
    );
}

#[test]
fn wrong_usage_is_refused() {
    for wrong in [
        &["operator", "--wat"] as &[_],
        &["standalone"],
        &["operator", "--listen", "x"],
        &["operator", "--max-in-flight", "0"],
        &["operator", "--egress-allow", "10.0.0.1/99"],
        &["standalone", "dir", "--namespace", "a"],
        &["operator", "--tls-cert", "a.pem"],
        &["operator", "--tls-key", "a.pem"],
        &["operator", "--audience", ""],
        &["operator", "--token-file", "a"],
        &["wat"],
    ] {
        assert!(matches!(read(wrong), Err(ConfigError::Usage(error)) if error.exit_code() == 2), "{wrong:?}");
    }
}
