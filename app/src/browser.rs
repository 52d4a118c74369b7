//! The few things that are asked of the browser directly. On the server the clock is its own and the rest is absent.

pub mod claim;
pub mod zone;

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{KeyboardEvent, ScrollIntoViewOptions, ScrollLogicalPosition};

/// Microseconds since 1970-01-01 UTC.
#[cfg(target_arch = "wasm32")]
pub fn now_micros() -> i64 {
    (js_sys::Date::now() * 1_000.0) as i64
}

/// Microseconds since 1970-01-01 UTC.
#[cfg(not(target_arch = "wasm32"))]
pub fn now_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Does a piece of work and tells those who observe measures of the page (User Timing) how long it took. The page itself
/// keeps none, however long it is open.
pub fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    if !cfg!(target_arch = "wasm32") {
        return work();
    }
    let Some(performance) = web_sys::window().and_then(|window| window.performance()) else { return work() };
    let start = format!("{name}:start");
    // Marks fail for names that the standard keeps for itself only.
    let _ = performance.mark(&start);
    let done = work();
    let _ = performance.measure_with_start_mark(name, &start);
    performance.clear_marks_with_mark_name(&start);
    performance.clear_measures_with_measure_name(name);
    done
}

fn document() -> Option<web_sys::Document> {
    web_sys::window()?.document()
}

/// The `<html>` element.
fn root_element() -> Option<web_sys::Element> {
    document()?.document_element()
}

/// Sets an attribute of the `<html>` element, by which the stylesheet knows the theme and the density.
pub fn set_root_attribute(name: &str, value: &str) {
    if root_element().is_some_and(|root| root.set_attribute(name, value).is_err()) {
        leptos::logging::warn!("{name} could not be set");
    }
}

/// An attribute of the `<html>` element; `None` where it is not there.
pub fn root_attribute(name: &str) -> Option<String> {
    root_element().and_then(|root| root.get_attribute(name))
}

/// Whether the browser can show the page on the full screen.
pub fn allows_full_screen() -> bool {
    document().is_some_and(|document| document.fullscreen_enabled())
}

/// Whether something is shown on the full screen.
pub fn is_full_screen() -> bool {
    document().is_some_and(|document| document.fullscreen_element().is_some())
}

/// Shows the page on the full screen, or as before.
pub fn set_full_screen(full: bool) {
    if full == is_full_screen() {
        return;
    }
    match root_element().filter(|_| full) {
        // Refused where nobody asked for it by hand; then the page stays as it is.
        Some(root) => drop(root.request_fullscreen()),
        None => {
            if let Some(document) = document() {
                document.exit_fullscreen();
            }
        }
    }
}

/// The language this browser prefers, as a BCP 47 tag; empty where it names none.
pub fn language() -> String {
    web_sys::window().and_then(|window| window.navigator().language()).unwrap_or_default()
}

/// A custom property of the page as it is now; empty where there is none.
pub fn token(name: &str) -> String {
    let style =
        web_sys::window().zip(root_element()).and_then(|(window, root)| window.get_computed_style(&root).ok()?);
    style.and_then(|style| style.get_property_value(name).ok()).unwrap_or_default()
}

/// Whether the system asks for dark pages.
pub fn system_is_dark() -> bool {
    prefers("(prefers-color-scheme: dark)")
}

/// Whether the user asked for less motion.
pub fn wants_less_motion() -> bool {
    prefers("(prefers-reduced-motion: reduce)")
}

fn prefers(query: &str) -> bool {
    let query = web_sys::window().and_then(|window| window.match_media(query).ok()?);
    query.is_some_and(|query| query.matches())
}

/// Device pixels per CSS pixel.
pub fn pixel_ratio() -> f64 {
    web_sys::window().map_or(1.0, |window| window.device_pixel_ratio()).clamp(1.0, 4.0)
}

/// Something kept in this browser. `None` where nothing is kept, or keeping is not allowed.
pub fn recall(name: &str) -> Option<String> {
    web_sys::window()?.local_storage().ok()??.get_item(name).ok()?
}

/// Keeps something in this browser, where that is allowed and there is room; tells whether it did.
pub fn keep(name: &str, value: &str) -> bool {
    let storage = web_sys::window().and_then(|window| window.local_storage().ok()?);
    match storage.map(|storage| storage.set_item(name, value)) {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            leptos::logging::warn!("the browser does not keep {name}: {error:?}");
            false
        }
        None => false,
    }
}

/// Keeps something no longer.
pub fn forget(name: &str) {
    if let Some(storage) = web_sys::window().and_then(|window| window.local_storage().ok()?) {
        // Fails where nothing may be kept; then nothing is.
        let _ = storage.remove_item(name);
    }
}

/// Opens a page of this server anew, also where it is the one that is shown.
pub fn open(address: &str) {
    if let Some(Err(error)) = web_sys::window().map(|window| window.location().set_href(address)) {
        leptos::logging::warn!("{address} could not be opened: {error:?}");
    }
}

/// Puts a text where it can be pasted from; tells whether the browser did.
pub async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    let clipboard = window.navigator().clipboard();
    // Only pages from a trusted origin have one.
    if clipboard.is_undefined() {
        return false;
    }
    JsFuture::from(clipboard.write_text(text)).await.is_ok()
}

/// Gives the focus to the element with this id; tells whether there is one.
pub fn focus(id: &str) -> bool {
    let element = element(id).and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    element.is_some_and(|element| element.focus().is_ok())
}

/// Brings the element with this id into sight, if there is one.
pub fn scroll_to(id: &str) {
    if let Some(element) = element(id) {
        element.scroll_into_view();
    }
}

/// Brings the element with this id into sight, moving no more than that takes.
pub fn reveal(id: &str) {
    if let Some(element) = element(id) {
        reveal_element(&element);
    }
}

/// Brings an element into sight, both ways, moving no more than that takes.
pub fn reveal_element(element: &web_sys::Element) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// The whole address of the page, with its coordinates.
pub fn page_address() -> String {
    web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default()
}

/// What addresses of this server begin with: scheme, host and port.
pub fn origin() -> String {
    web_sys::window().and_then(|window| window.location().origin().ok()).unwrap_or_default()
}

/// Whether a key was typed into a field, where letters are letters.
pub fn is_typing(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"))
}

fn element(id: &str) -> Option<web_sys::Element> {
    document()?.get_element_by_id(id)
}
