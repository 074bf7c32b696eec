//! Callers on this machine.

use std::net::IpAddr;

use axum::http::header;
use axum::http::request::Parts;
use axum::http::uri::Authority;

use super::Caller;
use crate::api::error::{Kind, Problem};

/// Whoever sends this, if it was sent to this machine by its own name. A web page can have its own
/// name resolve to loopback, and then a browser takes the API for a part of that page.
pub(super) fn caller(parts: &Parts) -> Result<Caller, Problem> {
    let header = parts.headers.get(header::HOST).map(|it| it.to_str().unwrap_or_default());
    match parts.uri.authority().map(Authority::as_str).or(header) {
        Some(host) if !is_local(host) => {
            let detail =
                "without tokens, the API is for this machine only: call it 127.0.0.1, [::1] or localhost";
            Err(Problem::new(Kind::Forbidden, detail))
        }
        // Browsers always say which host they mean.
        Some(_) | None => Ok(Caller::named("local")),
    }
}

fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn is_let_in(request: axum::http::request::Builder) -> bool {
        caller(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn a_page_that_has_its_name_resolve_to_loopback_is_refused() {
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1", "127.0.0.9:80", "[::1]", "[::1]:8787"] {
            assert!(is_let_in(Request::get("/").header("host", host)), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1:8787", "[::2]", "", "ä"] {
            assert!(!is_let_in(Request::get("/").header("host", host)), "{host}");
        }
        assert!(is_let_in(Request::get("/")));
        let foreign_target = Request::get("http://evil.example/").header("host", "localhost");
        assert!(!is_let_in(foreign_target));
    }
}
