//! The strip: a drawing of the plane with a slider for each thing that moves on it, for pointer and keys alike.
//!
//! What is dragged is drawn at once and sent on a few times a second; the first of a movement is a choice, the rest replace it.

use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    html,
    prelude::*,
    svg,
};
use web_sys::SvgElement;

use super::{
    CompareChoice, EffectiveAxis, Gesture, KnownMark,
    picture::Picture,
    plane::{Grab, Part, Plane, Way, chosen, grab},
    play::Player,
};
use crate::{
    components::whole::{Whole, WholeView},
    format::time,
    state::coordinates::{Days, Effective, Known, KnownChoice},
};

/// A movement is told from a click after so many pixels.
const CLICK_PX: f64 = 4.0;
/// What is dragged is sent on at most this often, in milliseconds: browsers allow a page twenty changes of its address a second.
const SEND_EVERY_MS: f64 = 80.0;

/// What a slider of the strip moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slider {
    Effective(Part),
    Known(usize),
}

/// What a slider has been brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    Effective(Effective),
    Known(usize, Known),
}

/// A drag under way.
#[derive(Clone, Copy)]
struct Drag {
    grab: Grab,
    /// Where on the strip it began, where the strip lay in the window and how large it was, in pixels. What is read while it
    /// moves may move the page.
    at: (f64, f64),
    corner: (f64, f64),
    size: (f64, f64),
    /// What was chosen then.
    choice: Effective,
    days: Days,
    moments: [i64; MARKS],
    /// What was sent last, and when, in milliseconds.
    sent: Option<(Moved, f64)>,
}

/// Known times a strip can carry.
const MARKS: usize = 2;

/// A strip and its state.
#[derive(Clone, Copy)]
pub struct Strip {
    plane: Memo<Plane>,
    held: RwSignal<bool>,
    today: Memo<i64>,
    effective: EffectiveAxis,
    marks: StoredValue<Vec<KnownMark>>,
    compare: Option<CompareChoice>,
    player: Option<Player>,
    /// What is dragged, until it has arrived in the page.
    preview: RwSignal<Option<Moved>>,
    drag: StoredValue<Option<Drag>>,
    /// What keys have set last: those that follow are the same movement.
    keyed: StoredValue<Option<Moved>>,
    plot: NodeRef<html::Div>,
    grips: StoredValue<Vec<(Slider, NodeRef<svg::G>)>>,
}

impl Strip {
    /// A strip over a plane, which stands still while it is `held`.
    pub fn new(
        plane: Memo<Plane>,
        held: RwSignal<bool>,
        today: Memo<i64>,
        effective: EffectiveAxis,
        marks: &[KnownMark],
        compare: Option<CompareChoice>,
        player: Option<Player>,
    ) -> Strip {
        let marks = marks[..marks.len().min(MARKS)].to_vec();
        let parts = [Part::From, Part::Whole, Part::To].map(Slider::Effective);
        let sliders = parts.into_iter().chain((0..marks.len()).map(Slider::Known));
        let grips = sliders.map(|slider| (slider, NodeRef::new())).collect();
        Strip {
            plane,
            held,
            today,
            effective,
            marks: StoredValue::new(marks),
            compare,
            player,
            preview: RwSignal::new(None),
            drag: StoredValue::new(None),
            keyed: StoredValue::new(None),
            plot: NodeRef::new(),
            grips: StoredValue::new(grips),
        }
    }

    fn mark(self, index: usize) -> Option<KnownMark> {
        self.marks.with_value(|marks| marks.get(index).copied())
    }

    fn choice(self) -> Effective {
        match self.preview.get() {
            Some(Moved::Effective(effective)) => effective,
            _ => self.effective.choice.get(),
        }
    }

    fn days(self) -> Days {
        self.choice().days(self.today.get())
    }

    fn is_point(self) -> bool {
        matches!(self.choice(), Effective::On(_))
    }

    fn known(self, index: usize) -> Known {
        match self.preview.get() {
            Some(Moved::Known(moved, known)) if moved == index => known,
            _ => self.mark(index).map_or(Known::Now, |mark| mark.known.get()),
        }
    }

    /// First and last day on the strip.
    fn span(self) -> (i64, i64) {
        self.plane.get().span(self.days())
    }

    fn moment(self, index: usize) -> i64 {
        self.plane.get().moment(self.known(index), self.span().1)
    }

    fn drawing(self) -> String {
        let known: Vec<Known> = (0..self.marks.with_value(Vec::len)).map(|index| self.known(index)).collect();
        let compared = self.compare.and_then(|compare| compare.compared.get()).map(|compared| compared.days);
        let plane = self.plane.get();
        Picture { plane: &plane, days: self.days(), is_point: self.is_point(), compared, known: &known }.svg()
    }

    /// Sends a change on, as a new choice or as one more of a movement.
    fn send(self, moved: Moved, gesture: Gesture) {
        match moved {
            Moved::Effective(effective) => self.effective.set.run((effective, gesture)),
            Moved::Known(index, known) => {
                if let Some(mark) = self.mark(index) {
                    mark.set.run((KnownChoice::Exactly(known), gesture));
                }
            }
        }
    }

    fn stop_playing(self) {
        if let Some(player) = self.player {
            player.stop();
        }
    }

    fn key(self, slider: Slider, event: &KeyboardEvent) {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        let key = event.key();
        if let Some(player) = self.player.filter(|_| key == " ") {
            event.prevent_default();
            return player.toggle();
        }
        let Some(way) = Way::of_key(&key, event.shift_key()) else { return };
        event.prevent_default();
        self.stop_playing();
        let plane = self.plane.get_untracked();
        let moved = untrack(|| match slider {
            Slider::Effective(part) => {
                let span = plane.moved(self.span(), part, way);
                let is_same = span == self.span();
                Moved::Effective(if is_same { self.choice() } else { chosen(self.choice(), self.days(), part, span) })
            }
            Slider::Known(index) => Moved::Known(index, plane.stepped(self.moment(index), way)),
        });
        let before = untrack(|| match moved {
            Moved::Effective(_) => Moved::Effective(self.choice()),
            Moved::Known(index, _) => Moved::Known(index, self.known(index)),
        });
        if moved == before {
            return;
        }
        let follows = self.keyed.get_value() == Some(before);
        self.keyed.set_value(Some(moved));
        self.send(moved, if follows { Gesture::Moving } else { Gesture::Choice });
    }

    fn press(self, event: &PointerEvent) {
        let Some(plot) = self.plot.get_untracked().filter(|_| event.button() == 0) else { return };
        let rect = plot.get_bounding_client_rect();
        let (corner, size) = ((rect.left(), rect.top()), (rect.width(), rect.height()));
        let at = place(event, corner);
        self.stop_playing();
        let drag = untrack(|| {
            let plane = self.plane.get();
            let (from, to) = self.span();
            let edges = (plane.x(from) / 100.0 * size.0, plane.x(to + 1) / 100.0 * size.0);
            let count = self.marks.with_value(Vec::len);
            let moments: [i64; MARKS] = std::array::from_fn(|index| self.moment(index));
            let heights = moments.map(|moment| plane.y(moment) / 100.0 * size.1);
            let grab = grab(at, size.0, edges, &heights[..count], self.is_point());
            Drag { grab, at, corner, size, choice: self.choice(), days: self.days(), moments, sent: None }
        });
        self.focus(match drag.grab {
            Grab::Effective(part) => Slider::Effective(part),
            Grab::Known(index) => Slider::Known(index),
            Grab::Either(_) | Grab::Beside(_) => Slider::Effective(Part::Whole),
        });
        // Without capture a drag ends where the pointer leaves the strip, which is no harm.
        let _ = plot.set_pointer_capture(event.pointer_id());
        self.drag.set_value(Some(drag));
        self.held.set(true);
    }

    fn pull(self, event: &PointerEvent) {
        let Some(mut drag) = self.drag.get_value() else { return };
        let at = place(event, drag.corner);
        let by = (at.0 - drag.at.0, at.1 - drag.at.1);
        if let Grab::Either(index) | Grab::Beside(index) = drag.grab {
            if by.0.abs().max(by.1.abs()) < CLICK_PX {
                return;
            }
            let sideways = by.0.abs() >= by.1.abs();
            drag.grab = if sideways { Grab::Effective(Part::Whole) } else { Grab::Known(index) };
        }
        let Some(moved) = self.moved(&drag, at, by) else { return };
        self.preview.set(Some(moved));
        let now = event.time_stamp();
        if drag.sent.is_none_or(|(sent, when)| sent != moved && now - when >= SEND_EVERY_MS) {
            self.send_drag(&mut drag, moved, now);
        }
        self.drag.set_value(Some(drag));
    }

    /// What a drag that has come so far makes of what was chosen when it began; nothing while it has not gone a grain.
    fn moved(self, drag: &Drag, at: (f64, f64), by: (f64, f64)) -> Option<Moved> {
        let plane = self.plane.get_untracked();
        let span = plane.span(drag.days);
        let moved = match drag.grab {
            Grab::Effective(part) => {
                let to = plane.moved(span, part, Way::By(plane.days(by.0, drag.size.0)));
                Moved::Effective(if to == span { drag.choice } else { chosen(drag.choice, drag.days, part, to) })
            }
            Grab::Known(index) => {
                Moved::Known(index, plane.dragged(*drag.moments.get(index)?, by.1, at.1, drag.size.1))
            }
            Grab::Either(_) | Grab::Beside(_) => return None,
        };
        let begun = drag.sent.is_some() || by.0.abs().max(by.1.abs()) >= CLICK_PX / 2.0;
        begun.then_some(moved)
    }

    fn send_drag(self, drag: &mut Drag, moved: Moved, now: f64) {
        let gesture = if drag.sent.is_some() { Gesture::Moving } else { Gesture::Choice };
        drag.sent = Some((moved, now));
        self.send(moved, gesture);
    }

    /// The last of a drag; a click beside the range brings the range there.
    fn release(self, event: &PointerEvent) {
        let Some(mut drag) = self.drag.get_value() else { return };
        let last = self.preview.get_untracked();
        if let Some(moved) = last.filter(|moved| drag.sent.is_some_and(|(sent, _)| sent != *moved)) {
            self.send_drag(&mut drag, moved, event.time_stamp());
        }
        if matches!(drag.grab, Grab::Beside(_)) {
            let plane = self.plane.get_untracked();
            let (from, to) = plane.span(drag.days);
            let middle = plane.first_day + plane.days(drag.at.0, drag.size.0);
            let span = plane.moved((from, to), Part::Whole, Way::By(middle - (from + to) / 2));
            self.send(Moved::Effective(chosen(drag.choice, drag.days, Part::Whole, span)), Gesture::Choice);
        }
        self.drop_drag();
    }

    fn drop_drag(self) {
        self.drag.set_value(None);
        self.preview.set(None);
        self.held.set(false);
    }

    fn focus(self, slider: Slider) {
        let grip = self.grip(slider).and_then(|grip| grip.get_untracked());
        let focused = grip.map(|grip: SvgElement| grip.focus());
        if let Some(Err(error)) = focused {
            leptos::logging::warn!("a slider could not be focused: {error:?}");
        }
    }

    fn grip(self, slider: Slider) -> Option<NodeRef<svg::G>> {
        self.grips.with_value(|grips| grips.iter().find(|(known, _)| *known == slider).map(|(_, grip)| *grip))
    }

    /// The strip.
    pub fn view(self) -> WholeView {
        let known = (0..self.marks.with_value(Vec::len)).map(|index| self.known_slider(index)).collect_view();
        let foot = move || time::day_text(time::day_of(self.plane.get().foot));
        view! {
            <div
                class="strip"
                on:pointerdown=move |event| self.press(&event)
                on:pointermove=move |event| self.pull(&event)
                on:pointerup=move |event| self.release(&event)
                on:pointercancel=move |_| self.drop_drag()
                on:mousedown=|event| event.prevent_default()
            >
                <p class="strip-name known" aria-hidden="true">"↕ known"</p>
                <div class="strip-plot" node_ref=self.plot data-testid="strip">
                    <svg class="strip-svg" width="100%" height="100%">
                        <g aria-hidden="true" inner_html=move || self.drawing()></g>
                        {self.effective_slider(Part::From)} {self.effective_slider(Part::Whole)}
                        {self.effective_slider(Part::To)} {known}
                    </svg>
                </div>
                <p class="strip-end" aria-hidden="true">"now"</p>
                <p class="strip-foot" aria-hidden="true">{foot}</p>
                <p class="strip-name effective" aria-hidden="true">"↔ effective"</p>
            </div>
        }
        .whole()
    }

    fn effective_slider(self, part: Part) -> WholeView {
        let slider = Slider::Effective(part);
        let (name, testid, grip) = match part {
            Part::From => ("Effective from", "effective-from", "M0 -13v26h-5a3 3 0 0 1 -3 -3v-20a3 3 0 0 1 3 -3z"),
            Part::To => ("Effective to", "effective-to", "M0 -13v26h5a3 3 0 0 0 3 -3v-20a3 3 0 0 0 -3 -3z"),
            Part::Whole => (
                "Effective",
                "effective-range",
                "M-11 -6h22a4 4 0 0 1 4 4v4a4 4 0 0 1 -4 4h-22a4 4 0 0 1 -4 -4v-4a4 4 0 0 1 4 -4z",
            ),
        };
        let x = move || {
            let plane = self.plane.get();
            let (from, to) = self.span();
            let x = match part {
                Part::From => plane.x(from),
                Part::To => plane.x(to + 1),
                Part::Whole => (plane.x(from) + plane.x(to + 1)) / 2.0,
            };
            format!("{x:.2}%")
        };
        let y = if part == Part::Whole { "100%" } else { "50%" };
        let value = move || if part == Part::To { self.span().1 } else { self.span().0 };
        let text = move || match part {
            Part::Whole => self.days().text(),
            _ => time::day_text(value()),
        };
        let class = move || if self.is_point() && part != Part::Whole { "strip-anchor gone" } else { "strip-anchor" };
        view! {
            <svg class=class x=x y=y>
                <g
                    class="strip-grip effective"
                    role="slider"
                    tabindex="0"
                    aria-label=name
                    aria-orientation="horizontal"
                    aria-valuemin=move || self.plane.get().first_day.to_string()
                    aria-valuemax=move || self.plane.get().last_day.to_string()
                    aria-valuenow=move || value().to_string()
                    aria-valuetext=text
                    data-testid=testid
                    node_ref=self.grip(slider).unwrap_or_default()
                    on:keydown=move |event| self.key(slider, &event)
                    on:blur=move |_| self.keyed.set_value(None)
                >
                    <rect class="strip-hit" x="-16" y="-16" width="32" height="32"></rect>
                    <path d=grip></path>
                </g>
            </svg>
        }
        .whole()
    }

    fn known_slider(self, index: usize) -> WholeView {
        let slider = Slider::Known(index);
        let Some(mark) = self.mark(index) else { return ().whole() };
        let y = move || format!("{:.2}%", self.plane.get().y(self.moment(index)));
        // Of two the first is at the other end, or they would cover each other where they are near.
        let x = if index == 0 && self.mark(1).is_some() { "0" } else { "100%" };
        let hours = move |micros: i64| self.plane.get().hours(micros).to_string();
        view! {
            <svg class="strip-anchor" x=x y=y>
                <g
                    class="strip-grip known"
                    role="slider"
                    tabindex="0"
                    aria-label=format!("{} as of", mark.name)
                    aria-orientation="vertical"
                    aria-valuemin="0"
                    aria-valuemax=move || hours(self.plane.get().top)
                    aria-valuenow=move || hours(self.moment(index))
                    aria-valuetext=move || self.known(index).text()
                    data-testid=format!("{}-slider", mark.testid)
                    node_ref=self.grip(slider).unwrap_or_default()
                    on:keydown=move |event| self.key(slider, &event)
                    on:blur=move |_| self.keyed.set_value(None)
                >
                    <rect class="strip-hit" x="-14" y="-14" width="28" height="28"></rect>
                    <path d="M-9 0L0 -9L9 0L0 9z"></path>
                    <text text-anchor="middle" dy="4">{mark.sign}</text>
                </g>
            </svg>
        }
        .whole()
    }
}

/// Where a pointer is, in pixels from a corner.
fn place(event: &PointerEvent, corner: (f64, f64)) -> (f64, f64) {
    (f64::from(event.client_x()) - corner.0, f64::from(event.client_y()) - corner.1)
}
