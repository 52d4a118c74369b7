//! Problem documents (RFC 9457): how an error reaches whoever asked.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, title) = status_and_title(self.kind());
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            // The answer says what to do; only the log says why.
            tracing::error!(error = %self, "a request failed");
        }
        let mut document: Map<String, Value> = self.members().clone();
        document.insert("type".to_owned(), json!("about:blank"));
        document.insert("title".to_owned(), json!(title));
        document.insert("status".to_owned(), json!(status.as_u16()));
        document.insert("detail".to_owned(), json!(self.message()));
        let mut response = (status, Json(document)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

fn status_and_title(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::BadRequest => (StatusCode::BAD_REQUEST, "The request is not understood"),
        ErrorKind::Unprocessable => (StatusCode::UNPROCESSABLE_ENTITY, "The request cannot be carried out"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "There is no such thing"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "What is there already stands against it"),
        ErrorKind::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "Somebody else was quicker"),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "Not allowed"),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too much at once"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not now"),
        ErrorKind::Io | ErrorKind::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong inside Tidemark")
        }
    }
}

/// Answers calls below `/api` that do not exist, so that they are no page.
pub async fn no_such_call() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such call; GET /api/v1/openapi.json describes them all")
}
