//! The application: what all pages share, and which page an address is.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    OptionalParamSegment, ParamSegment, SsrMode, StaticSegment,
    components::{FlatRoutes, Route, Router},
};
use model::DatasetSummary;

use crate::{
    components::{
        chrome::Chrome,
        theme::Theme,
        whole::{Whole, WholeView},
    },
    format::style::track_style,
    live::Live,
    pages::{dashboard::DashboardPage, lazy::LazyPart, not_found::NotFound},
    queries::datasets::datasets,
    state::display::Display,
};

/// The datasets as they were when the page was rendered.
pub type Datasets = Resource<Result<Vec<DatasetSummary>, String>>;

/// Name and title of each dashboard with a definition, as the page was rendered.
#[derive(Debug, Clone, Default)]
pub struct DashboardTitles(pub Vec<(String, String)>);

#[cfg(feature = "ssr")]
fn dashboard_titles() -> Vec<(String, String)> {
    // Whoever may not read sees no page in which they could stand.
    crate::ports::dashboards().map(|dashboards| dashboards.titles()).unwrap_or_default()
}

/// The browser finds them in the page.
#[cfg(not(feature = "ssr"))]
fn dashboard_titles() -> Vec<(String, String)> {
    Vec::new()
}

/// The whole application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Live::provide();
    Theme::provide();
    Display::provide();
    let datasets: Datasets = Resource::new_blocking(|| (), |()| datasets());
    provide_context(datasets);
    provide_context(DashboardTitles(SharedValue::new(dashboard_titles).into_inner()));
    view! {
        <Router>
            <Chrome>
                <FlatRoutes fallback=NotFound>
                    <Route path=StaticSegment("") view=|| LazyPart::Home.view() ssr=SsrMode::Async />
                    <Route
                        path=StaticSegment("dashboards")
                        view=|| LazyPart::DashboardList.view()
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=(StaticSegment("dashboards"), ParamSegment("dashboard"), StaticSegment("versions"))
                        view=|| LazyPart::DashboardVersions.view()
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=(StaticSegment("dashboards"), StaticSegment("new"))
                        view=|| LazyPart::Editor.view()
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=(StaticSegment("dashboards"), ParamSegment("dashboard"), StaticSegment("edit"))
                        view=|| LazyPart::Editor.view()
                        ssr=SsrMode::Async
                    />
                    <Route path=StaticSegment("explore") view=|| LazyPart::Explore.view() ssr=SsrMode::Async />
                    <Route path=StaticSegment("semantics") view=|| LazyPart::Semantics.view() ssr=SsrMode::Async />
                    <Route path=StaticSegment("diff") view=|| LazyPart::Diff.view() ssr=SsrMode::Async />
                    <Route
                        path=(StaticSegment("admin"), StaticSegment("pipeline"))
                        view=|| LazyPart::Pipeline.view()
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=(StaticSegment("admin"), StaticSegment("scaling"))
                        view=|| LazyPart::Scaling.view()
                        ssr=SsrMode::Async
                    />
                    <Route path=StaticSegment("design") view=|| LazyPart::Docs.view() ssr=SsrMode::Async />
                    <Route
                        path=(StaticSegment("dashboards"), ParamSegment("dashboard"))
                        view=DashboardPage
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=(StaticSegment("docs"), OptionalParamSegment("page"))
                        view=|| LazyPart::Docs.view()
                        ssr=SsrMode::Async
                    />
                </FlatRoutes>
            </Chrome>
        </Router>
    }
}

/// Takes over the page that the server rendered, once its code is there.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    wasm_bindgen_futures::spawn_local(async {
        crate::pages::lazy::load_code_of_page().await;
        leptos::mount::hydrate_body(App);
    });
}

/// Shows a page once the list of datasets is there; the server waits for it, the browser already has it. Where the list
/// could not be read, the page gets an empty one and the reason. Pages keep what they wrote, so they are made anew when the
/// reader wants it written in another way.
pub fn with_datasets(
    page: impl Fn(Vec<DatasetSummary>, Option<String>) -> WholeView + Send + Sync + 'static,
) -> WholeView {
    once_read(None, Arc::new(move |_, datasets, problem| page(datasets, problem)))
}

/// The same for a page that needs something else of the server beside the list.
pub fn with_datasets_and(
    other: Resource<Text>,
    page: impl Fn(Text, Vec<DatasetSummary>, Option<String>) -> WholeView + Send + Sync + 'static,
) -> WholeView {
    once_read(Some(other), Arc::new(page))
}

/// A document of the server, if there is one, or why it could not be read.
pub type Text = Result<Option<String>, String>;
type Page = Arc<dyn Fn(Text, Vec<DatasetSummary>, Option<String>) -> WholeView + Send + Sync>;

fn once_read(other: Option<Resource<Text>>, page: Page) -> WholeView {
    let datasets = use_context::<Datasets>();
    view! {
        <Suspense fallback=|| view! { <p class="quiet" role="status">"Loading"</p> }>
            {move || {
                let page = page.clone();
                Suspend::new(async move {
                    let other = match other {
                        Some(other) => other.await,
                        None => Ok(None),
                    };
                    let read = match datasets {
                        Some(datasets) => datasets.await,
                        None => Ok(Vec::new()),
                    };
                    let (datasets, problem) = read.map_or_else(|reason| (Vec::new(), Some(reason)), |read| (read, None));
                    // Inside what is waited for: while that was awaited again, the old page would go on without its values.
                    move || {
                        track_style();
                        page(other.clone(), datasets.clone(), problem.clone())
                    }
                })
            }}
        </Suspense>
    }
    .whole()
}
