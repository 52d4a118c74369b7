//! An address that is no page.

use leptos::prelude::*;

use crate::components::whole::Whole;

/// Says so, and where to go on. On the server the response is a 404.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    view! {
        <section class="tile" data-testid="not-found">
            <div class="tile-body prose">
                <p>"There is no page at this address. It may have been mistyped, or the page may have moved."</p>
                <p>
                    <a href="/">"Go to Home"</a>
                </p>
            </div>
        </section>
    }
    .whole()
}
