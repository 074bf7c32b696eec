//! `hookwright verify`

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use hookwright_receiver::Verifier;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::client::secret;
use super::error::Error;
use super::output::{FAINT, GOOD, line, styled};
use super::send::input;
use crate::clock;

/// Checks a captured request.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright verify request.txt --secret-file secret
  hookwright verify - --secret-file old --secret-file new --tolerance 300")]
pub struct Verify {
    /// File with the request as it went over the wire: headers, an empty line, the body; - for stdin
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    /// File with the signing secret; repeat for several
    #[arg(long, value_name = "FILE", required = true)]
    secret_file: Vec<PathBuf>,
    /// Seconds that the timestamp may be away from now [default: any; receivers take 300]
    #[arg(long, value_name = "SECONDS")]
    tolerance: Option<u32>,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Error> {
        let secrets: Vec<_> = self.secret_file.iter().map(|path| secret(path)).collect::<Result<_, _>>()?;
        let request = input(&self.request)?;
        let (headers, body) = parse(&request).map_err(|detail| Error::file(&self.request, &detail))?;
        let tolerance = self.tolerance.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
        let now = u64::try_from(clock::wall().as_secs()).unwrap_or_default();
        let verifier = Verifier::new(secrets).tolerance(tolerance);
        match verifier.verify(&headers, body, UNIX_EPOCH + Duration::from_secs(now)) {
            Ok(()) => line(&format!("{}{}", styled(GOOD, "genuine"), styled(FAINT, &age(&headers, now)))),
            Err(refusal) => Err(Error::NotGenuine(format!("{refusal}{}", hint(body)))),
        }
    }
}

/// Headers and body of a request, whose first line may be the one with the method. The body is as
/// long as the headers say, where they do.
fn parse(request: &[u8]) -> Result<(HeaderMap, &[u8]), String> {
    let mut headers = HeaderMap::new();
    let mut rest = request;
    for number in 1.. {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or("there is no empty line between its headers and its body")?;
        let (line, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let header = line.iter().position(|byte| *byte == b':').map(|colon| line.split_at(colon));
        let header = header.and_then(|(name, value)| {
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        });
        match header {
            Some((name, value)) => drop(headers.append(name, value)),
            None if number == 1 => {}
            None => return Err(format!("line {number} is no header")),
        }
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    Ok((headers, length.and_then(|length| rest.get(..length)).unwrap_or(rest)))
}

fn age(headers: &HeaderMap, now: u64) -> String {
    let header = |name| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let signed = header("x-pcf-timestamp").or_else(|| header("webhook-timestamp"));
    signed.map_or_else(String::new, |signed| format!(", signed {} s ago", now.saturating_sub(signed)))
}

fn hint(body: &[u8]) -> &'static str {
    if body.ends_with(b"\n") { " (it ends with a line break: perhaps the capture added one)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_went_over_the_wire() {
        let (headers, body) =
            parse(b"POST /hook HTTP/1.1\r\nHost: a:3000\r\nX-PCF-Timestamp: 17\r\n\r\n{\"a\":\n1}").unwrap();
        assert_eq!(headers["x-pcf-timestamp"], "17");
        assert_eq!(body, b"{\"a\":\n1}");
        let (headers, body) = parse(b"content-length: 2\nX-A: 1\n\n{}\n").unwrap();
        assert_eq!((headers.len(), body), (2, &b"{}"[..]));
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        for (wrong, why) in [
            (&b""[..], "no empty line"),
            (b"X-A: 1\n", "no empty line"),
            (b"X-A: 1\nno header\n\n{}", "line 2"),
            (b"POST / HTTP/1.1\n\xff: 1\n\n{}", "line 2"),
        ] {
            assert!(parse(wrong).unwrap_err().contains(why), "{wrong:?}");
        }
    }
}
