//! The pages: server-side rendering, the browser's code, style sheets, and the headers that keep them safe.

use std::{collections::HashMap, fs, net::SocketAddr, path::Path, pin::Pin, sync::Arc};

use app::ports::{Access as PageAccess, Answer, CodeFiles, DashboardStore, LakeInfo};
use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, generate_route_list};
use model::{CommitAnnouncement, DatasetSummary};
use tower_http::{compression::CompressionLayer, services::ServeDir};

use crate::{
    api::{ApiState, datasets::summaries},
    config::Settings,
    dashboards::PageStore,
    error::Result,
};

/// All pages and their files.
pub fn router(settings: &Settings, address: SocketAddr, state: ApiState) -> Router {
    let options = LeptosOptions::builder()
        .output_name("tidemark")
        .site_root(settings.site.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .site_addr(address)
        .build();
    let page_state = state.clone();
    let code_files = code_files(&settings.site);
    let context = move || {
        provide_context(code_files.clone());
        provide_context::<Arc<dyn DashboardStore>>(Arc::new(PageStore(page_state.dashboards.clone())));
        provide_context::<Arc<dyn LakeInfo>>(Arc::new(Info(page_state.clone())));
        // The middleware has let the request in; here it may read what pages show.
        provide_context::<Arc<dyn PageAccess>>(Arc::new(Admitted));
    };
    let shell_options = options.clone();
    let pages = Router::new()
        .leptos_routes_with_context(&options, generate_route_list(app::App), context.clone(), move || {
            app::shell(shell_options.clone())
        })
        .nest_service("/pkg", ServeDir::new(settings.site.join("pkg")))
        .nest_service("/style", ServeDir::new(&settings.style))
        // Where the page of the pipeline was, for links that were kept.
        .route("/dashboards/pipeline", get(|| async { Redirect::permanent(app::PIPELINE) }))
        .fallback(leptos_axum::file_and_error_handler_with_context::<LeptosOptions, _>(context, app::shell))
        .with_state(options);
    pages
        .layer(middleware::from_fn(safe_headers))
        .layer(middleware::from_fn(move |request, next| admit(state.clone(), request, next)))
        .layer(CompressionLayer::new())
}

/// What the build of the pages has written of the files that single pages load. Pages without are served before they are
/// built, as tests of the API do.
fn code_files(site: &Path) -> CodeFiles {
    let written = fs::read(site.join("pkg/__wasm_split_manifest.json")).unwrap_or_default();
    CodeFiles(Arc::new(serde_json::from_slice::<HashMap<_, _>>(&written).unwrap_or_default()))
}

async fn admit(state: ApiState, request: Request, next: Next) -> Result<Response> {
    state.access.authorise_page(request.headers(), request.method())?;
    Ok(next.run(request).await)
}

async fn safe_headers(request: Request, next: Next) -> impl IntoResponse {
    // Files of one build belong together: a browser asks whether what it kept is still the one.
    let is_code = request.uri().path().starts_with("/pkg/");
    let mut response = next.run(request).await;
    if is_code {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// A request the middleware has let in.
struct Admitted;

impl PageAccess for Admitted {
    fn may_read(&self) -> Result<(), String> {
        Ok(())
    }
}

struct Info(ApiState);

impl LakeInfo for Info {
    fn datasets(&self) -> Answer<Vec<DatasetSummary>> {
        let state = self.0.clone();
        let answer: Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(async move { summaries(&state, None).await.map_err(|error| error.message().to_owned()) });
        answer
    }

    fn head(&self) -> Option<CommitAnnouncement> {
        self.0.lake.head().map(|head| self.0.live.announcement(&head, &[]))
    }
}
