//! The rules of time zones, which the browser has. Not called on the server.

use std::cell::RefCell;

use js_sys::{Array, Date, Function, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::format::zone::parse_offset;

/// What stands before the offset in the texts that are asked for: `3/31/2026, GMT+02:00`.
const BEFORE_OFFSET: &str = "GMT";

thread_local! {
    /// The zone asked about last, and what writes its dates: one page writes in one zone.
    static WRITER: RefCell<Option<(String, Function)>> = const { RefCell::new(None) };
}

/// The name by which the browser knows a zone, whatever letters it was typed in. `None` where it knows none of this name.
pub fn canonical(name: &str) -> Option<String> {
    resolved(&format_of(Some(name))?)
}

/// The zone of this browser's system.
pub fn own() -> Option<String> {
    resolved(&format_of(None)?)
}

/// Seconds by which the clocks of a zone are ahead of UTC at an instant, in microseconds; 0 where the browser cannot say.
pub fn ahead_secs(zone: &str, micros: i64) -> i64 {
    WRITER.with_borrow_mut(|writer| {
        if writer.as_ref().is_none_or(|(name, _)| name != zone) {
            *writer = writer_of(zone).map(|write| (zone.to_owned(), write));
        }
        writer.as_ref().and_then(|(_, write)| offset(write, micros)).unwrap_or(0)
    })
}

fn offset(write: &Function, micros: i64) -> Option<i64> {
    let date = Date::new(&JsValue::from_f64(micros.div_euclid(1_000) as f64));
    let text = write.call1(&JsValue::UNDEFINED, &date).ok()?.as_string()?;
    parse_offset(text.rsplit_once(BEFORE_OFFSET)?.1)
}

fn writer_of(zone: &str) -> Option<Function> {
    Reflect::get(&format_of(Some(zone))?, &"format".into()).ok()?.dyn_into().ok()
}

/// An `Intl.DateTimeFormat`. Made by hand, because a name that is no zone is an exception, which a plain call does not catch.
fn format_of(zone: Option<&str>) -> Option<JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"timeZoneName".into(), &"longOffset".into()).ok()?;
    if let Some(zone) = zone {
        Reflect::set(&options, &"timeZone".into(), &zone.into()).ok()?;
    }
    let intl = Reflect::get(&js_sys::global(), &"Intl".into()).ok()?;
    let constructor: Function = Reflect::get(&intl, &"DateTimeFormat".into()).ok()?.dyn_into().ok()?;
    Reflect::construct(&constructor, &Array::of2(&"en".into(), &options)).ok()
}

fn resolved(format: &JsValue) -> Option<String> {
    let options: Function = Reflect::get(format, &"resolvedOptions".into()).ok()?.dyn_into().ok()?;
    Reflect::get(&options.call0(format).ok()?, &"timeZone".into()).ok()?.as_string()
}
