//! The one mapping from an error to a response: the code's status, the envelope as JSON.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::protocol::{Envelope, ErrorCode, Refusal};

/// A refusal as a response.
#[derive(Debug)]
pub(super) struct Refused(Box<Response>);

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(why: T) -> Self {
        let why = why.into();
        let status = StatusCode::from_u16(why.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(Box::new((status, Json(Envelope::refusal(&why, None))).into_response()))
    }
}

impl Refused {
    /// The same with one more header.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// What an address without anything behind it is answered with.
pub(super) async fn not_found() -> Refused {
    ErrorCode::NotFound.into()
}

/// What an address that is there is answered with when it cannot do what is asked; axum adds `Allow`.
pub(super) async fn method_not_allowed() -> Refused {
    ErrorCode::MethodNotAllowed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_of_its_own_kind() {
        for code in ErrorCode::ALL {
            let status = Refused::from(*code).into_response().status();
            assert_eq!(status.as_u16(), code.status());
            assert!(status.is_client_error() || status.is_server_error());
        }
    }
}
