//! Pages and parts of pages whose code a browser loads only when it comes to them. Nothing else may name them, or their code
//! would be part of what every visitor loads. Dashboards are none of them: what they share with other pages would fall into a
//! hundred and eighty files, and come to a fifth more.
//!
//! A page that the server has rendered is taken over in one go, so its code has to be there before that: see `load_code_of_page`.

use super::versions::PARAMETER as VERSIONS_PARAMETER;
use crate::{
    components::{
        chrome::{
            DASHBOARD_LIST, DESIGN, DIFF, DOCS, EXPLORE, PIPELINE, SCALING, SEMANTICS, dashboard_of_versions,
            is_dashboard, is_editor,
        },
        whole::WholeView,
    },
    state::mode::MODE,
};

/// A page, or a part of one, with code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LazyPart {
    /// All dashboards.
    DashboardList,
    /// The versions of a dashboard.
    DashboardVersions,
    /// What differs between two coordinates.
    Diff,
    /// Choices of the display menu.
    Display,
    /// The documentation, and the page of all components.
    Docs,
    /// The form in which a copy of a dashboard gets its name.
    Duplicate,
    /// The editor of a dashboard.
    Editor,
    /// What a dataset holds.
    Explore,
    /// Where a reader comes in.
    Home,
    /// The list of keys.
    Keys,
    /// The controls of a page that is shown as a kiosk.
    Kiosk,
    /// The command palette, once it is open.
    Palette,
    /// How the pipeline runs.
    Pipeline,
    /// Coordinates of one tile, over a page.
    OwnTimes,
    /// The number of slots, and changing it.
    Scaling,
    /// What the figures of a dataset mean.
    Semantics,
    /// Links to a dashboard, over it.
    Share,
    /// The versions of a key, over a page, and two rectangles of a plane side by side.
    Versions,
}

impl LazyPart {
    /// Those of these that a page consists of as its address says, path and query.
    pub fn of_page(path: &str, query: &str) -> impl Iterator<Item = LazyPart> {
        let page = match path.trim_end_matches('/') {
            DIFF => Some(LazyPart::Diff),
            PIPELINE => Some(LazyPart::Pipeline),
            SCALING => Some(LazyPart::Scaling),
            "" => Some(LazyPart::Home),
            DESIGN => Some(LazyPart::Docs),
            EXPLORE => Some(LazyPart::Explore),
            SEMANTICS => Some(LazyPart::Semantics),
            path if is_editor(path) => Some(LazyPart::Editor),
            DASHBOARD_LIST => Some(LazyPart::DashboardList),
            path if dashboard_of_versions(path).is_some() => Some(LazyPart::DashboardVersions),
            path if path.starts_with(DOCS) => Some(LazyPart::Docs),
            _ => None,
        };
        let has = |name: &str| {
            let mut parameters = query.trim_start_matches('?').split('&');
            parameters.any(|parameter| parameter.split('=').next() == Some(name))
        };
        let versions = has(VERSIONS_PARAMETER).then_some(LazyPart::Versions);
        // However the mode is written there: with another one this is loaded in vain.
        let kiosk = (is_dashboard(path) && has(MODE)).then_some(LazyPart::Kiosk);
        page.into_iter().chain(versions).chain(kiosk)
    }

    /// The name of its code.
    #[cfg(feature = "ssr")]
    pub fn code(self) -> &'static str {
        match self {
            LazyPart::DashboardList => "dashboard_list",
            LazyPart::DashboardVersions => "dashboard_versions",
            LazyPart::Diff => "diff_page",
            LazyPart::Display => "display_choices",
            LazyPart::Docs => "documentation",
            LazyPart::Duplicate => "duplicate_form",
            LazyPart::Editor => "editor",
            LazyPart::Explore => "explore",
            LazyPart::Home => "home",
            LazyPart::Keys => "keys",
            LazyPart::Kiosk => "kiosk",
            LazyPart::Palette => "palette",
            LazyPart::OwnTimes => "own_times",
            LazyPart::Pipeline => "pipeline",
            LazyPart::Scaling => "scaling",
            LazyPart::Semantics => "semantics",
            LazyPart::Share => "share",
            LazyPart::Versions => "versions_of_key",
        }
    }

    /// Its view; in the browser a word that it loads, until it is there.
    pub fn view(self) -> WholeView {
        code::view(self)
    }
}

#[cfg(not(feature = "hydrate"))]
mod code {
    use super::{super::*, LazyPart};
    use crate::components::{
        display_menu, keys, kiosk, palette,
        whole::{Whole, WholeView},
    };

    pub(super) fn view(part: LazyPart) -> WholeView {
        match part {
            LazyPart::DashboardList => dashboard_list::list(),
            LazyPart::DashboardVersions => dashboard_versions::versions(),
            LazyPart::Diff => diff::Diff().whole(),
            LazyPart::Display => display_menu::Choices().whole(),
            LazyPart::Docs => docs::Docs().whole(),
            LazyPart::Duplicate => duplicate::form(),
            LazyPart::Editor => editor::Editor().whole(),
            LazyPart::Explore => explore::Explore().whole(),
            LazyPart::Home => home::Home().whole(),
            LazyPart::Keys => keys::list(),
            LazyPart::Kiosk => kiosk::controls(),
            LazyPart::Palette => palette::content(),
            LazyPart::OwnTimes => dashboard::own_times::of_tile(),
            LazyPart::Pipeline => pipeline::Pipeline().whole(),
            LazyPart::Scaling => scaling::Scaling().whole(),
            LazyPart::Semantics => semantics::SemanticsPage().whole(),
            LazyPart::Share => dashboard::share::links(),
            LazyPart::Versions => versions::view(),
        }
    }
}

#[cfg(feature = "hydrate")]
pub use code::load_code_of_page;

#[cfg(feature = "hydrate")]
mod code {
    use std::{cell::Cell, pin::Pin};

    use leptos::{
        prelude::*,
        task::spawn_local,
        wasm_split::{SplitLoaderError, wasm_split},
    };
    use wasm_bindgen_futures::JsFuture;

    use super::{super::*, LazyPart};
    use crate::components::{
        display_menu, keys, kiosk, palette,
        whole::{Whole, WholeView, changing},
    };

    type Make = fn() -> WholeView;
    type Loaded = Result<Make, SplitLoaderError>;

    /// How long to wait before asking again.
    const AGAIN_AFTER_MS: i32 = 2_000;

    thread_local! {
        /// What makes each part, once its code is there.
        static MAKE: Cell<[Option<Make>; 18]> = const { Cell::new([None; 18]) };
    }

    // Where the browser's code is parted: what only one of these reaches is a file of its own.

    #[wasm_split(dashboard_list, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn dashboard_list() -> Loaded {
        Ok(dashboard_list::list)
    }

    #[wasm_split(dashboard_versions, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn dashboard_versions() -> Loaded {
        Ok(dashboard_versions::versions)
    }

    #[wasm_split(display_choices, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn display_choices() -> Loaded {
        Ok(|| display_menu::Choices().whole())
    }

    #[wasm_split(documentation, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn documentation() -> Loaded {
        Ok(|| docs::Docs().whole())
    }

    #[wasm_split(duplicate_form, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn duplicate_form() -> Loaded {
        Ok(duplicate::form)
    }

    #[wasm_split(editor, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn editor() -> Loaded {
        Ok(|| editor::Editor().whole())
    }

    #[wasm_split(explore, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn explore() -> Loaded {
        Ok(|| explore::Explore().whole())
    }

    #[wasm_split(home, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn home() -> Loaded {
        Ok(|| home::Home().whole())
    }

    #[wasm_split(keys, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn keys() -> Loaded {
        Ok(keys::list)
    }

    #[wasm_split(kiosk, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn kiosk() -> Loaded {
        Ok(kiosk::controls)
    }

    #[wasm_split(palette, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn palette() -> Loaded {
        Ok(palette::content)
    }

    #[wasm_split(own_times, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn own_times() -> Loaded {
        Ok(dashboard::own_times::of_tile)
    }

    #[wasm_split(diff_page, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn diff_page() -> Loaded {
        Ok(|| diff::Diff().whole())
    }

    #[wasm_split(pipeline, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn pipeline() -> Loaded {
        Ok(|| pipeline::Pipeline().whole())
    }

    #[wasm_split(scaling, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn scaling() -> Loaded {
        Ok(|| scaling::Scaling().whole())
    }

    #[wasm_split(semantics, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn semantics() -> Loaded {
        Ok(|| semantics::SemanticsPage().whole())
    }

    #[wasm_split(share, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn share() -> Loaded {
        Ok(dashboard::share::links)
    }

    #[wasm_split(versions_of_key, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn versions_of_key() -> Loaded {
        Ok(versions::view)
    }

    async fn load(page: LazyPart) -> Result<(), SplitLoaderError> {
        // One way to wait for all of them.
        let code: Pin<Box<dyn Future<Output = Loaded>>> = match page {
            LazyPart::DashboardList => Box::pin(dashboard_list()),
            LazyPart::DashboardVersions => Box::pin(dashboard_versions()),
            LazyPart::Diff => Box::pin(diff_page()),
            LazyPart::Display => Box::pin(display_choices()),
            LazyPart::Docs => Box::pin(documentation()),
            LazyPart::Duplicate => Box::pin(duplicate_form()),
            LazyPart::Editor => Box::pin(editor()),
            LazyPart::Explore => Box::pin(explore()),
            LazyPart::Home => Box::pin(home()),
            LazyPart::Keys => Box::pin(keys()),
            LazyPart::Kiosk => Box::pin(kiosk()),
            LazyPart::Palette => Box::pin(palette()),
            LazyPart::OwnTimes => Box::pin(own_times()),
            LazyPart::Pipeline => Box::pin(pipeline()),
            LazyPart::Scaling => Box::pin(scaling()),
            LazyPart::Semantics => Box::pin(semantics()),
            LazyPart::Share => Box::pin(share()),
            LazyPart::Versions => Box::pin(versions_of_key()),
        };
        let make = code.await?;
        let mut all = MAKE.get();
        all[page as usize] = Some(make);
        MAKE.set(all);
        Ok(())
    }

    /// Loads the code of the page that is shown if it has some. To be waited for before the page is taken over; until the
    /// server can be reached it is left as the server wrote it.
    pub async fn load_code_of_page() {
        let location = window().location();
        let (path, query) = (location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
        for part in LazyPart::of_page(&path, &query) {
            while load(part).await.is_err() {
                wait(AGAIN_AFTER_MS).await;
            }
        }
    }

    async fn wait(millis: i32) {
        let later = js_sys::Promise::new(&mut |resolve, _| {
            // Fails where there is no window only.
            let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, millis);
        });
        let _ = JsFuture::from(later).await;
    }

    pub(super) fn view(part: LazyPart) -> WholeView {
        let made = move || MAKE.get()[part as usize].map(|make| make());
        if let Some(view) = made() {
            return view;
        }
        let arrived = RwSignal::new(None::<bool>);
        let fetch = move || {
            arrived.set(None);
            spawn_local(async move {
                let loaded = load(part).await.is_ok();
                // The reader may be somewhere else by now.
                arrived.try_set(Some(loaded));
            });
        };
        fetch();
        let shown = move || match arrived.get() {
            None => view! { <p class="quiet" role="status">"Loading"</p> }.whole(),
            Some(true) => made().unwrap_or_else(|| ().whole()),
            Some(false) => view! {
                <p class="notice" role="alert">
                    "This part of the page could not be loaded: the server could not be reached. "
                    <button type="button" on:click=move |_| fetch()>
                        "Try again"
                    </button>
                </p>
            }
            .whole(),
        };
        changing(shown).whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_loads_is_known_by_its_address() {
        let of = |path, query| LazyPart::of_page(path, query).collect::<Vec<_>>();
        assert_eq!(of("/admin/pipeline/", ""), [LazyPart::Pipeline]);
        assert_eq!(of("/admin/scaling", ""), [LazyPart::Scaling]);
        assert_eq!(of("/diff", "?dataset=a&versions=a:b"), [LazyPart::Diff, LazyPart::Versions]);
        assert_eq!(of("/dashboards/market", "only=versions:a"), []);
        assert_eq!(of("/dashboards/market", "?known=-7d&mode=kiosk"), [LazyPart::Kiosk]);
        assert_eq!(of("/docs", "mode=kiosk"), [LazyPart::Docs]);
        assert_eq!(of("/dashboards", ""), [LazyPart::DashboardList]);
        assert_eq!(of("/dashboards/market/versions", "?a=1"), [LazyPart::DashboardVersions]);
        assert_eq!(of("/dashboards/versions", ""), []);
        assert_eq!(of("/dashboards/new", ""), [LazyPart::Editor]);
        assert_eq!(of("/dashboards/market/edit", "tile=a"), [LazyPart::Editor]);
        assert_eq!(of("/explore", "dataset=gdp"), [LazyPart::Explore]);
        assert_eq!(of("/", ""), [LazyPart::Home]);
        assert_eq!(of("/docs/api", ""), [LazyPart::Docs]);
    }
}
