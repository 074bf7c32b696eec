//! What an answer of the API server, or none, means to whoever gave the command.

use kube::core::Status;

use crate::cli::client::innermost;
use crate::cli::error::Error;

/// Why a request of the API server has failed.
pub(super) fn of(error: kube::Error, server: &str, context: &str) -> Error {
    match error {
        kube::Error::Api(status) => refused(&status, context),
        kube::Error::Auth(error) => Error::Denied(format!(
            "failed to get the credentials of the context '{context}': {}; log in again, or choose another with \
             --context",
            innermost(&error)
        )),
        kube::Error::SerdeError(error) => {
            Error::Foreign { server: server.to_owned(), detail: error.to_string() }
        }
        error => Error::ApiServer {
            server: server.to_owned(),
            context: context.to_owned(),
            detail: innermost(&error),
        },
    }
}

fn refused(status: &Status, context: &str) -> Error {
    let says = &status.message;
    match status.code {
        401 => Error::Denied(format!(
            "the API server does not know the user of the context '{context}': credentials are missing or have \
             expired; log in again, or choose another with --context"
        )),
        403 => Error::Denied(format!("{says}; 'hookwright help COMMAND' says which rights each needs")),
        // Of a kind that the server does not know, it says only that much.
        404 if status.details.as_ref().is_none_or(|details| details.name.is_empty()) => Error::Missing(
            "this cluster has no Hookwright: install its custom resource definitions and the operator, or \
             choose another cluster with --context"
                .to_owned(),
        ),
        404 => Error::Missing(says.clone()),
        _ => Error::Unfit(format!("the API server refuses: {says}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_who_is_in_the_way() {
        let answer = |code: u16| Status { code, message: "no".to_owned(), ..Status::default() };
        for (code, exit) in [(401, 4), (403, 4), (404, 5), (409, 1), (422, 1), (500, 1)] {
            let error = of(kube::Error::Api(Box::new(answer(code))), "https://a.example", "a");
            assert_eq!(error.code(), exit, "{code}: {error}");
        }
        let silent = kube::Error::Service("connection refused".into());
        assert_eq!(of(silent, "https://a.example", "a").code(), 3);
    }
}
