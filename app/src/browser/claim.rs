//! Names that one open page has for itself, by the Web Locks API (<https://w3c.github.io/web-locks/>): another page, also one in
//! another tab, gets the next. A page that is closed, or crashes, has none any more.

use js_sys::{Function, Object, Promise, Reflect};
use leptos::prelude::{LocalStorage, SetValue as _, StoredValue, WithValue as _};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

use super::recall;

/// Names that are tried at most; whoever has more pages open shares the last.
const TRIED_MOST: u32 = 50;

/// A name that this page has until this is dropped. Without the API nothing is held.
#[derive(Debug)]
pub struct Claim(Option<Function>);

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(release) = &self.0 {
            // Gives a promise its value, which cannot fail.
            let _ = release.call0(&JsValue::NULL);
        }
    }
}

/// Claims the first of the names of 1, 2, 3 … that no other page has, those under which the browser has kept something before
/// all others; gives its number. The first where the browser has no locks, as on a page that is not from a trusted origin.
pub async fn claim_first(name: impl Fn(u32) -> String) -> (u32, Claim) {
    let Some(locks) = locks() else { return (1, Claim(None)) };
    let kept = (1..TRIED_MOST).filter(|number| recall(&name(*number)).is_some());
    for number in kept.collect::<Vec<_>>().into_iter().chain(1..TRIED_MOST) {
        match claim(&locks, &name(number)).await {
            Answer::Held(release) => return (number, Claim(Some(release))),
            Answer::Taken => {}
            Answer::Refused => return (1, Claim(None)),
        }
    }
    (TRIED_MOST, Claim(None))
}

/// Where a page has its claim, for as long as it is open; nowhere on the server, where what browsers give may not be moved
/// between threads.
#[derive(Clone, Copy)]
pub struct Held(Option<StoredValue<Option<Claim>, LocalStorage>>);

impl Held {
    /// None yet.
    pub fn none() -> Held {
        Held((!cfg!(feature = "ssr")).then(|| StoredValue::new_local(None)))
    }

    /// Whether there is one; so, too, once the page is gone.
    pub fn is_some(self) -> bool {
        self.0.and_then(|held| held.try_with_value(Option::is_some)).unwrap_or(true)
    }

    /// Keeps a claim. Where the page is gone it is given back at once.
    pub fn keep(self, claim: Claim) {
        if let Some(held) = self.0 {
            held.try_set_value(Some(claim));
        }
    }
}

enum Answer {
    /// It is held until this is called.
    Held(Function),
    Taken,
    /// The browser allows this page no locks.
    Refused,
}

fn locks() -> Option<JsValue> {
    let navigator = web_sys::window()?.navigator();
    Reflect::get(&navigator, &"locks".into()).ok().filter(JsValue::is_object)
}

async fn claim(locks: &JsValue, name: &str) -> Answer {
    let answered = Promise::new(&mut |resolve, _| {
        let refuse = resolve.clone();
        let refused = Closure::once_into_js(move |_: JsValue| {
            // Gives a promise its value, which cannot fail.
            let _ = refuse.call1(&JsValue::NULL, &JsValue::UNDEFINED);
        });
        let asked = ask(locks, name, resolve).and_then(|asked| {
            let or_else: Function = Reflect::get(&asked, &"catch".into())?.dyn_into()?;
            or_else.call1(&asked, &refused)
        });
        if asked.is_err() {
            let _ = refused.unchecked_into::<Function>().call1(&JsValue::NULL, &JsValue::UNDEFINED);
        }
    });
    match JsFuture::from(answered).await {
        Ok(release) if release.is_function() => Answer::Held(release.unchecked_into()),
        Ok(answer) if answer == JsValue::FALSE => Answer::Taken,
        _ => Answer::Refused,
    }
}

/// Asks for a lock. `answer` is called with what releases it, or with false where another page has it.
fn ask(locks: &JsValue, name: &str, answer: Function) -> Result<JsValue, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
    let granted = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        if !lock.is_object() {
            let _ = answer.call1(&JsValue::NULL, &JsValue::FALSE);
            return JsValue::UNDEFINED;
        }
        // It is held until this promise has its value.
        Promise::new(&mut |release, _| {
            let _ = answer.call1(&JsValue::NULL, &release);
        })
        .into()
    });
    let request: Function = Reflect::get(locks, &"request".into())?.dyn_into()?;
    request.call3(locks, &name.into(), &options, &granted)
}
