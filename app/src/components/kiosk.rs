//! What a page has as a kiosk in the place of the application's frame: full screen, and the way out. Both leave the view while
//! nothing moves.

use std::time::Duration;

use leptos::{ev, prelude::*};

use super::whole::{Whole, WholeView, changing};
use crate::{
    browser,
    format::time::SECOND_MICROS,
    state::{
        address::{Address, Step},
        mode::MODE,
    },
};

/// The controls are in view for so long after the last movement.
const SHOWN_FOR_MICROS: i64 = 3 * SECOND_MICROS;
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When something moved last, and whether that is long ago.
#[derive(Clone, Copy)]
struct Rest {
    moved: StoredValue<i64>,
    rests: RwSignal<bool>,
}

impl Rest {
    fn wake(self) {
        self.moved.try_set_value(browser::now_micros());
        if self.rests.try_get_untracked() == Some(true) {
            self.rests.try_set(false);
        }
    }

    /// Looks from time to time, until the controls are gone.
    fn watch(self) {
        let look = move || {
            let Some(moved) = self.moved.try_get_value() else { return };
            let rests = browser::now_micros() - moved >= SHOWN_FOR_MICROS;
            if self.rests.try_get_untracked() == Some(!rests) {
                self.rests.try_set(rests);
            }
            self.watch();
        };
        set_timeout(look, LOOK_EVERY);
    }
}

/// Shows the page with its frame again.
fn leave(address: Address) {
    browser::set_full_screen(false);
    address.set(vec![(MODE, None)], Step::Push);
    // The button that may have had the focus is gone.
    browser::focus("main");
}

/// The controls. Escape leaves, unless something on the page has taken the key.
pub fn controls() -> WholeView {
    let address = Address::of_page();
    let rest = Rest { moved: StoredValue::new(0), rests: RwSignal::new(false) };
    let (allowed, full) = (RwSignal::new(false), RwSignal::new(false));
    Effect::new(move |_| {
        rest.wake();
        rest.watch();
        allowed.set(browser::allows_full_screen());
        full.set(browser::is_full_screen());
        let keys = window_event_listener(ev::keydown, move |event| {
            rest.wake();
            if event.key() == "Escape" && !event.default_prevented() {
                event.prevent_default();
                leave(address);
            }
        });
        let moves = window_event_listener(ev::pointermove, move |_| rest.wake());
        let presses = window_event_listener(ev::pointerdown, move |_| rest.wake());
        let screen = window_event_listener_untyped("fullscreenchange", move |_| {
            full.try_set(browser::is_full_screen());
        });
        on_cleanup(move || {
            keys.remove();
            moves.remove();
            presses.remove();
            screen.remove();
        });
    });
    let full_screen = move || {
        allowed.get().then(|| {
            view! {
                <button
                    type="button"
                    data-testid="kiosk-full"
                    aria-pressed=move || full.get().to_string()
                    on:click=move |_| browser::set_full_screen(!browser::is_full_screen())
                >
                    "Full screen"
                </button>
            }
            .whole()
        })
    };
    view! {
        <div
            class="kiosk-controls"
            role="group"
            aria-label="Kiosk"
            data-testid="kiosk-controls"
            data-rests=move || rest.rests.get().to_string()
        >
            {changing(full_screen)}
            <button
                type="button"
                data-testid="kiosk-leave"
                aria-keyshortcuts="Escape"
                on:click=move |_| leave(address)
            >
                "Leave kiosk mode "
                <kbd aria-hidden="true">"Esc"</kbd>
            </button>
        </div>
    }
    .whole()
}
