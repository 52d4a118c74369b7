//! `GET /api/v1/openapi.json`: the whole API, described.

use axum::{
    extract::State,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::IntoResponse,
};

use super::{ApiState, access::Action};
use crate::error::Result;

const DOCUMENT: &str = include_str!("openapi.json");

/// The document, OpenAPI 3.1.
pub async fn document(State(state): State<ApiState>, headers: HeaderMap) -> Result<impl IntoResponse> {
    state.access.authorise(&headers, Action::Read)?;
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const METHODS: [&str; 5] = ["delete", "get", "patch", "post", "put"];

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let described = paths.iter().flat_map(|(path, calls)| {
            let methods = METHODS.into_iter().filter(|method| calls.get(method).is_some());
            methods.map(|method| format!("{method} {path}")).collect::<Vec<_>>()
        });
        let routes = include_str!("mod.rs").split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        // What answers calls that do not exist is no call.
        let routed = routes.filter(|(path, _)| !path.contains('*')).flat_map(|(path, handlers)| {
            let handlers = handlers.split('\n').next().unwrap_or_default();
            let methods = METHODS.into_iter().filter(|method| handlers.contains(&format!("{method}(")));
            methods.map(|method| format!("{method} {path}")).collect::<Vec<_>>()
        });
        assert_eq!(described.collect::<BTreeSet<_>>(), routed.collect::<BTreeSet<_>>());
    }
}
