//! The HTML document around the application.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use crate::root::App;

/// Runs before the first paint, so that no page flashes in the wrong theme or density. `choice` is what the user chose
/// (`system`, `light`, `dark`); `data-theme` is always one of the two that the tokens know, and so is `data-density`. The event
/// makes charts draw again, also when the fonts have arrived.
const DISPLAY_SCRIPT: &str = r#"(function () {
  var choice = null, density = null;
  try {
    choice = localStorage.getItem("tidemark-theme");
    density = localStorage.getItem("tidemark-density");
  } catch (e) {}
  if (choice !== "light" && choice !== "dark") { choice = "system"; }
  var root = document.documentElement;
  var query = matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var chosen = root.dataset.themeChoice;
    root.dataset.theme = chosen === "system" ? (query.matches ? "dark" : "light") : chosen;
    dispatchEvent(new Event("tidemark-theme"));
  }
  root.dataset.themeChoice = choice;
  root.dataset.density = density === "compact" ? density : "comfortable";
  apply();
  query.addEventListener("change", apply);
  document.fonts.ready.then(function () { dispatchEvent(new Event("tidemark-theme")); });
})();"#;

/// What the page may load and run: its own files, the scripts that carry this response's nonce, WebAssembly, and nothing else.
pub fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; font-src 'self'; \
         img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

/// Puts the policy on the response. The server provides the nonce and the response through context.
#[cfg(feature = "ssr")]
fn send_policy() {
    use axum::http::{HeaderName, HeaderValue};
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<leptos_axum::ResponseOptions>()) else { return };
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(&nonce)) {
        response.insert_header(HeaderName::from_static("content-security-policy"), policy);
    }
}

/// Loads the browser's code and lets it take over the page. Leptos has a component for this, but it takes the file's name
/// from the environment in which the server was compiled.
fn hydration(options: &LeptosOptions) -> impl IntoView + use<> {
    let base = format!("/{}/{}", options.site_pkg_dir, options.output_name);
    let (code, wasm) = (format!("{base}.js"), format!("{base}.wasm"));
    let script = format!(
        "import start, {{ hydrate }} from {code:?};\nstart({{ module_or_path: {wasm:?} }}).then(() => hydrate());"
    );
    let own = code_files_of_page().into_iter().map(|file| {
        let address = format!("/{}/{file}.wasm", options.site_pkg_dir);
        view! { <link rel="preload" href=address r#as="fetch" r#type="application/wasm" crossorigin="" /> }
    });
    view! {
        <link rel="modulepreload" href=code />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="" />
        {own.collect_view()}
        <script type="module" nonce=use_nonce()>
            {script}
        </script>
    }
}

/// The files that the page loads beside what all pages have, so that they come at once.
fn code_files_of_page() -> Vec<String> {
    #[cfg(feature = "ssr")]
    if let (Some(files), Some(request)) =
        (use_context::<crate::ports::CodeFiles>(), use_context::<axum::http::request::Parts>())
    {
        let parts = crate::pages::lazy::LazyPart::of_page(request.uri.path(), request.uri.query().unwrap_or_default());
        return parts.filter_map(|part| files.0.get(part.code()).cloned()).flatten().collect();
    }
    Vec::new()
}

/// The whole document. The server hands it to Leptos; the response's nonce, where it has one, is on every script.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    #[cfg(feature = "ssr")]
    send_policy();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme="light" data-theme-choice="system" data-density="comfortable">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <script nonce=use_nonce()>{DISPLAY_SCRIPT}</script>
                <link rel="icon" href="/style/assets/mark.svg" type="image/svg+xml" />
                <link
                    rel="preload"
                    href="/style/assets/fonts/inter-regular.woff2"
                    r#as="font"
                    r#type="font/woff2"
                    crossorigin=""
                />
                <link rel="stylesheet" href="/style/main.css" />
                {hydration(&options)}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
