//! Pointer, fingers, wheel and keys. A tap chooses, two fingers zoom and move. A drag, or a way between two presses of M, marks
//! a stretch to zoom into (or to filter by); with Shift a drag moves the window, as Page Up and Page Down do, and as the cursor
//! does that is moved out of it by key. The wheel zooms with Ctrl or Meta alone, so that pages still scroll over a chart.

use leptos::{
    ev::{KeyboardEvent, PointerEvent, WheelEvent},
    prelude::*,
};

use super::parts::{Cursor, Drag, Parts};

/// Steps that Shift makes of one.
const LONG_STEP: usize = 10;
/// A drag shorter than that is a click, in CSS pixels.
const CLICK: f64 = 4.0;
/// How much of the window a step of zooming leaves.
const ZOOM: f64 = 0.8;
/// How much of the window a page key moves it by.
const PAGE: f64 = 0.5;
/// How far from the edge the cursor stands that has moved the window, as a share of it.
const MARGIN: f64 = 0.05;
/// A window is not narrower than this share of everything.
const NARROWEST: f64 = 1e-7;

impl Parts {
    pub(super) fn press(self, event: &PointerEvent) {
        if event.button() != 0 {
            return;
        }
        let at = f64::from(event.offset_x());
        let is_finger = event.pointer_type() == "touch";
        if is_finger {
            self.fingers.update_value(|fingers| fingers.push((event.pointer_id(), at)));
        }
        // Of categories there is no stretch to mark or to move; one of them is chosen all the same.
        let window = self.whole_window();
        let taps = is_finger || window.is_none();
        let (pans, window) = (event.shift_key() && !taps, window.unwrap_or_default());
        self.drag.set(Some(Drag { from: at, to: at, pans, by_key: false, taps, window }));
        if taps {
            return;
        }
        if let Some(host) = self.host.get_untracked() {
            // Fails for a pointer that has gone; then nothing follows.
            let _ = host.set_pointer_capture(event.pointer_id());
        }
    }

    pub(super) fn point(self, event: &PointerEvent) {
        let place = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        self.spoken.set(false);
        if let Some(drag) = self.drag.get_untracked().filter(|drag| !drag.by_key) {
            if drag.taps {
                return self.touch(event, place, drag);
            }
            let drag = Drag { to: place.0, ..drag };
            if drag.pans {
                self.pan(Some(drag.window), drag.from - drag.to);
            }
            self.drag.set(Some(drag));
            return;
        }
        self.move_to(self.cursor_at(place));
    }

    /// One finger moves the cursor, two zoom and move the window.
    fn touch(self, event: &PointerEvent, place: (f64, f64), drag: Drag) {
        let before = self.fingers.get_value();
        self.fingers.update_value(|fingers| {
            fingers.iter_mut().filter(|finger| finger.0 == event.pointer_id()).for_each(|finger| finger.1 = place.0);
        });
        let spread = |fingers: &[(i32, f64)]| match fingers {
            [(_, a), (_, b)] => Some(((a - b).abs(), (a + b) / 2.0)),
            _ => None,
        };
        match (spread(&before), self.fingers.with_value(|fingers| spread(fingers))) {
            (Some((before, was)), Some((now, middle))) if before > CLICK && now > CLICK => {
                self.drag.set(Some(Drag { to: f64::INFINITY, ..drag }));
                self.zoom(before / now, Some(middle));
                self.pan(self.whole_window(), was - middle);
            }
            _ => {
                self.drag.set(Some(Drag { to: place.0, ..drag }));
                self.move_to(self.cursor_at(place));
            }
        }
    }

    fn cursor_at(self, place: (f64, f64)) -> Option<Cursor> {
        let scene = self.scene.get_untracked()?;
        if scene.targets.is_empty() {
            return self.picture.with_untracked(|it| {
                let it = it.as_ref()?;
                it.index.nearest(&it.data, &self.view(), &scene.layout, place.0).map(Cursor::X)
            });
        }
        let target = scene.target_at(place)?;
        scene.targets.iter().position(|other| std::ptr::eq(other, target)).map(Cursor::Target)
    }

    pub(super) fn release(self, event: &PointerEvent) {
        self.fingers.update_value(|fingers| fingers.retain(|finger| finger.0 != event.pointer_id()));
        let Some(drag) = self.drag.get_untracked().filter(|drag| !drag.by_key) else { return };
        self.drag.set(None);
        let place = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        if (drag.to - drag.from).abs() < CLICK {
            self.move_to(self.cursor_at(place));
            return self.choose();
        }
        if !drag.pans && !drag.taps {
            self.mark(&drag);
        }
    }

    /// What a marked stretch is for.
    fn mark(self, drag: &Drag) {
        let Some(scene) = self.scene.get_untracked() else { return };
        let (from, to) = (scene.layout.x_at(drag.from.min(drag.to)), scene.layout.x_at(drag.from.max(drag.to)));
        match self.brush {
            Some(brush) => brush.run((from, to)),
            None => self.zoom_to(from, to),
        }
    }

    pub(super) fn cancel(self) {
        self.fingers.set_value(Vec::new());
        self.drag.set(None);
    }

    /// A chart tells that it is left also when it is taken away while it has the focus, with all that was kept here.
    pub(super) fn leave(self) {
        if self.drag.try_get_untracked() == Some(None) {
            self.spoken.set(false);
            self.move_to(None);
        }
    }

    pub(super) fn wheel(self, event: &WheelEvent) {
        if !(event.ctrl_key() || event.meta_key()) {
            return;
        }
        event.prevent_default();
        let factor = if event.delta_y() > 0.0 { 1.0 / ZOOM } else { ZOOM };
        self.zoom(factor, Some(f64::from(event.offset_x())));
    }

    /// What is shown of the x axis; `None` where it has no stretches, because it is of categories.
    pub(super) fn whole_window(self) -> Option<(f64, f64)> {
        use crate::charts::Scale::{Band, Linear, Log, Time};
        match &self.scene.get_untracked()?.layout.x {
            Time { from, to } => Some((*from, *to)),
            Linear { low, high } | Log { low, high } => Some((*low, *high)),
            Band { .. } => None,
        }
    }

    /// Shows what lies so many CSS pixels to the right of a window.
    fn pan(self, window: Option<(f64, f64)>, pixels: f64) {
        let (Some((from, to)), Some(scene)) = (window, self.scene.get_untracked()) else { return };
        self.show((from, to), pixels / scene.layout.frame.width * (to - from));
    }

    /// Shows what lies further right than a window by `by`, as far as there is anything.
    fn show(self, (from, to): (f64, f64), by: f64) {
        let (first, last) = self.whole.get_value().unwrap_or((from, to));
        // Everything is shown as it is.
        if self.window.get_untracked().is_some() && to - from < last - first {
            let by = by.clamp((first - from).min(0.0), (last - to).max(0.0));
            self.window.set(Some((from + by, to + by)));
        }
    }

    /// Moves the window so far that an x lies in it.
    fn reveal(self, x: f64) {
        let Some((from, to)) = self.window.get_untracked() else { return };
        let margin = (to - from) * MARGIN;
        if x < from {
            self.show((from, to), x - margin - from);
        } else if x > to {
            self.show((from, to), x + margin - to);
        }
    }

    fn zoom_to(self, from: f64, to: f64) {
        let least = self.whole.get_value().map_or(0.0, |(first, last)| (last - first) * NARROWEST).max(1e-9);
        if self.whole_window().is_some() && to - from > least {
            self.window.set(Some((from, to)));
        }
    }

    /// Zooms around a place in CSS pixels, or around the middle.
    fn zoom(self, factor: f64, around: Option<f64>) {
        let (Some((from, to)), Some(scene)) = (self.whole_window(), self.scene.get_untracked()) else { return };
        let frame = scene.layout.frame;
        let share = around.map_or(0.5, |pixel| ((pixel - frame.left) / frame.width).clamp(0.0, 1.0));
        let center = from + (to - from) * share;
        let (from, to) = (center - (center - from) * factor, center + (to - center) * factor);
        let (first, last) = self.whole.get_value().unwrap_or((from, to));
        if factor > 1.0 && from <= first && to >= last {
            return self.show_all();
        }
        self.zoom_to(from.max(first), to.min(last));
    }

    /// Taking the focus shows and says what stands at the end.
    pub(super) fn speak(self) {
        self.spoken.set(true);
        let Some(last) = self.cursors().checked_sub(1) else { return self.move_to(None) };
        let last = match self.window.get_untracked() {
            // Rows behind the window are there for the line that leads to them.
            Some((_, to)) if self.has_steps() => self.place_of(to, last),
            _ => last,
        };
        self.move_to(self.nth(last));
    }

    /// Whether the cursor goes from x to x, and not from mark to mark.
    fn has_steps(self) -> bool {
        self.scene.with_untracked(|scene| scene.as_ref().is_some_and(|scene| scene.targets.is_empty()))
    }

    /// The place of the last row that is not behind an x, or that of the first.
    fn place_of(self, x: f64, last: usize) -> usize {
        self.picture.with_untracked(|it| {
            let steps = it.as_ref().map(|it| it.index.steps(&it.data)).unwrap_or_default();
            steps.partition_point(|step| *step <= x).saturating_sub(1).min(last)
        })
    }

    /// How many places the cursor can be at.
    fn cursors(self) -> usize {
        let Some(scene) = self.scene.get_untracked() else { return 0 };
        if !scene.targets.is_empty() {
            return scene.targets.len();
        }
        self.picture.with_untracked(|it| it.as_ref().map_or(0, |it| it.index.steps(&it.data).len()))
    }

    fn nth(self, index: usize) -> Option<Cursor> {
        let scene = self.scene.get_untracked()?;
        if !scene.targets.is_empty() {
            return Some(Cursor::Target(index));
        }
        self.picture.with_untracked(|it| it.as_ref()?.index.steps(&it.as_ref()?.data).get(index).map(|x| Cursor::X(*x)))
    }

    fn place_of_cursor(self, last: usize) -> usize {
        match self.cursor.get_untracked() {
            Some(Cursor::Target(index)) => index.min(last),
            Some(Cursor::X(at)) => self.place_of(at, last),
            None => last,
        }
    }

    fn pixel_of_cursor(self) -> Option<f64> {
        untrack(move || self.readout_at_cursor()).map(|readout| readout.x)
    }

    pub(super) fn key(self, event: &KeyboardEvent) {
        let Some(last) = self.cursors().checked_sub(1) else { return };
        let at = self.place_of_cursor(last);
        let step = if event.shift_key() { LONG_STEP } else { 1 };
        let to = match event.key().as_str() {
            "ArrowLeft" => at.saturating_sub(step),
            "ArrowRight" => (at + step).min(last),
            "Home" => 0,
            "End" => last,
            other => return self.other_key(event, other),
        };
        event.prevent_default();
        self.spoken.set(true);
        let cursor = self.nth(to);
        if let Some(Cursor::X(x)) = cursor {
            self.reveal(x);
        }
        self.move_to(cursor);
        if let (Some(drag), Some(to)) = (self.drag.get_untracked().filter(|drag| drag.by_key), self.pixel_of_cursor()) {
            self.drag.set(Some(Drag { to, ..drag }));
        }
    }

    /// Begins to mark a stretch at the cursor, or ends it there.
    fn mark_by_key(self) {
        match self.drag.get_untracked() {
            Some(drag) => {
                self.drag.set(None);
                if (drag.to - drag.from).abs() >= CLICK {
                    self.mark(&drag);
                }
            }
            None => {
                let (Some(at), Some(window)) = (self.pixel_of_cursor(), self.whole_window()) else { return };
                self.drag.set(Some(Drag { from: at, to: at, pans: false, by_key: true, taps: false, window }));
            }
        }
    }

    fn other_key(self, event: &KeyboardEvent, key: &str) {
        match key {
            "Escape" if self.drag.get_untracked().is_some() => self.cancel(),
            "m" => self.mark_by_key(),
            "Escape" if self.cursor.get_untracked().is_some() => self.leave(),
            "Enter" => self.choose(),
            "+" | "=" => self.zoom(ZOOM, self.pixel_of_cursor()),
            "-" => self.zoom(1.0 / ZOOM, self.pixel_of_cursor()),
            "0" => self.show_all(),
            "PageUp" | "PageDown" => {
                // Where all is shown the page scrolls by them as usual.
                let Some((from, to)) = self.window.get_untracked() else { return };
                let by = if key == "PageUp" { -PAGE } else { PAGE };
                self.show((from, to), by * (to - from));
            }
            _ => return,
        }
        event.prevent_default();
    }
}
