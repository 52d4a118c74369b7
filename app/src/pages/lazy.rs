//! Pages whose code a browser loads only when it comes to them. Nothing else may name them, or their code would be part of
//! what every visitor loads.
//!
//! A page that the server has rendered is taken over in one go, so its code has to be there before that: see `load_code_of_page`.

use crate::components::{
    chrome::{BENCHMARK_INDEX, DIFF, PIPELINE},
    whole::WholeView,
};

/// A page with code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LazyPage {
    /// The level of an index.
    BenchmarkIndex,
    /// What differs between two coordinates.
    Diff,
    /// How the pipeline runs.
    Pipeline,
}

impl LazyPage {
    /// The page at an address, if it is one of these.
    pub fn at(path: &str) -> Option<LazyPage> {
        match path.trim_end_matches('/') {
            BENCHMARK_INDEX => Some(LazyPage::BenchmarkIndex),
            DIFF => Some(LazyPage::Diff),
            PIPELINE => Some(LazyPage::Pipeline),
            _ => None,
        }
    }

    /// The name of its code.
    #[cfg(feature = "ssr")]
    pub fn code(self) -> &'static str {
        match self {
            LazyPage::BenchmarkIndex => "benchmark_index",
            LazyPage::Diff => "diff_page",
            LazyPage::Pipeline => "pipeline",
        }
    }

    /// Its view; in the browser a word that it loads, until it is there.
    pub fn view(self) -> WholeView {
        code::view(self)
    }
}

#[cfg(not(feature = "hydrate"))]
mod code {
    use super::{super::*, LazyPage};
    use crate::components::whole::{Whole, WholeView};

    pub(super) fn view(page: LazyPage) -> WholeView {
        match page {
            LazyPage::BenchmarkIndex => benchmark_index::BenchmarkIndex().whole(),
            LazyPage::Diff => diff::Diff().whole(),
            LazyPage::Pipeline => pipeline::Pipeline().whole(),
        }
    }
}

#[cfg(feature = "hydrate")]
pub use code::load_code_of_page;

#[cfg(feature = "hydrate")]
mod code {
    use std::cell::Cell;

    use leptos::{
        prelude::*,
        task::spawn_local,
        wasm_split::{SplitLoaderError, wasm_split},
    };
    use wasm_bindgen_futures::JsFuture;

    use super::{super::*, LazyPage};
    use crate::components::whole::{Whole, WholeView, changing};

    type Make = fn() -> WholeView;
    type Loaded = Result<Make, SplitLoaderError>;

    /// How long to wait before asking again.
    const AGAIN_AFTER_MS: i32 = 2_000;

    thread_local! {
        /// What makes each page, once its code is there.
        static MAKE: Cell<[Option<Make>; 3]> = const { Cell::new([None; 3]) };
    }

    // Where the browser's code is parted: what only one of these reaches is a file of its own.

    #[wasm_split(benchmark_index, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn benchmark_index() -> Loaded {
        Ok(|| benchmark_index::BenchmarkIndex().whole())
    }

    #[wasm_split(diff_page, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn diff_page() -> Loaded {
        Ok(|| diff::Diff().whole())
    }

    #[wasm_split(pipeline, wasm_split_path = ::leptos::wasm_split, fallible)]
    fn pipeline() -> Loaded {
        Ok(|| pipeline::Pipeline().whole())
    }

    async fn load(page: LazyPage) -> Result<(), SplitLoaderError> {
        let make = match page {
            LazyPage::BenchmarkIndex => benchmark_index().await?,
            LazyPage::Diff => diff_page().await?,
            LazyPage::Pipeline => pipeline().await?,
        };
        let mut all = MAKE.get();
        all[page as usize] = Some(make);
        MAKE.set(all);
        Ok(())
    }

    /// Loads the code of the page that is shown if it has some. To be waited for before the page is taken over; until the
    /// server can be reached it is left as the server wrote it.
    pub async fn load_code_of_page() {
        let Some(page) = LazyPage::at(&window().location().pathname().unwrap_or_default()) else { return };
        while load(page).await.is_err() {
            wait(AGAIN_AFTER_MS).await;
        }
    }

    async fn wait(millis: i32) {
        let later = js_sys::Promise::new(&mut |resolve, _| {
            // Fails where there is no window only.
            let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, millis);
        });
        let _ = JsFuture::from(later).await;
    }

    pub(super) fn view(page: LazyPage) -> WholeView {
        let made = move || MAKE.get()[page as usize].map(|make| make());
        if let Some(view) = made() {
            return view;
        }
        let arrived = RwSignal::new(None::<bool>);
        let fetch = move || {
            arrived.set(None);
            spawn_local(async move {
                let loaded = load(page).await.is_ok();
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
                    "This page could not be loaded: the server could not be reached. "
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
    fn pages_with_code_of_their_own_are_known_by_their_address() {
        assert_eq!(LazyPage::at("/dashboards/pipeline/"), Some(LazyPage::Pipeline));
        assert_eq!(LazyPage::at("/dashboards/market"), None);
        assert_eq!(LazyPage::at("/"), None);
    }
}
