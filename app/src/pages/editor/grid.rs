//! The grid of the editor: its tiles in order, and a hand that drags or pulls at one of them.

use leptos::{ev::PointerEvent, prelude::*};
use wasm_bindgen::JsCast;

use super::{state::Editing, tile::tile};
use crate::{
    components::whole::{Whole, WholeView},
    editor::{Command, Rect, Resize, drop_place, resized},
};

/// A hand on the grid.
#[derive(Clone, Copy)]
pub(super) struct Hands {
    /// The tile that is being dragged.
    pub(super) dragged: RwSignal<Option<String>>,
    /// The tile whose place it would take.
    pub(super) target: RwSignal<Option<String>>,
    /// The tile that is being pulled at, and the size it would have.
    pub(super) pulled: RwSignal<Option<(String, u8, u8)>>,
    pull: StoredValue<Option<(Resize, (f64, f64))>>,
}

/// All tiles of the grid in order, where they lie in the window.
pub(super) fn rects() -> Vec<(String, Rect)> {
    let cells = document().query_selector_all("[data-cell]").ok();
    let one = |place: u32| {
        let cell: web_sys::Element = cells.as_ref()?.item(place)?.dyn_into().ok()?;
        let bounds = cell.get_bounding_client_rect();
        let rect = Rect { x: bounds.x(), y: bounds.y(), width: bounds.width(), height: bounds.height() };
        Some((cell.get_attribute("data-cell")?, rect))
    };
    (0..cells.as_ref().map_or(0, web_sys::NodeList::length)).filter_map(one).collect()
}

fn point_of(event: &PointerEvent) -> (f64, f64) {
    (f64::from(event.client_x()), f64::from(event.client_y()))
}

impl Hands {
    pub(super) fn new() -> Hands {
        let (dragged, target, pulled) = (RwSignal::new(None), RwSignal::new(None), RwSignal::new(None));
        Hands { dragged, target, pulled, pull: StoredValue::new(None) }
    }

    /// Begins to pull at a tile of so many columns and rows.
    pub(super) fn pull(self, id: &str, size: (u8, u8), event: &PointerEvent) {
        let own = rects().into_iter().find(|(known, _)| known == id).map(|(_, rect)| rect);
        let Some(own) = own else { return };
        let resize = Resize { size, column_px: own.width / f64::from(size.0.max(1)) };
        self.pull.set_value(Some((resize, point_of(event))));
        self.pulled.set(Some((id.to_owned(), size.0, size.1)));
    }

    /// Where a tile would go that is let go here, or how large one would be.
    pub(super) fn drag(self, event: &PointerEvent) {
        let point = point_of(event);
        if let (Some((resize, from)), Some((id, ..))) = (self.pull.get_value(), self.pulled.get_untracked()) {
            let (width, rows) = resized(resize, (point.0 - from.0, point.1 - from.1));
            let next = Some((id, width, rows));
            if self.pulled.with_untracked(|pulled| *pulled != next) {
                self.pulled.set(next);
            }
        }
        let Some(id) = self.dragged.get_untracked() else { return };
        let all = rects();
        let Some(place) = place_of(&all, &id) else { return };
        let rects: Vec<Rect> = all.iter().map(|(_, rect)| *rect).collect();
        let to = drop_place(&rects, place, point);
        let target = all.get(to).map(|(id, _)| id.clone()).filter(|target| *target != id);
        if self.target.with_untracked(|known| *known != target) {
            self.target.set(target);
        }
    }

    /// Lets go.
    pub(super) fn drop(self, editing: Editing) {
        let (dragged, target, pulled) =
            (self.dragged.get_untracked(), self.target.get_untracked(), self.pulled.get_untracked());
        self.leave();
        if let Some((id, width, rows)) = pulled {
            editing.apply(Command::Resize { id, width, rows });
        }
        if let (Some(id), Some(target)) = (dragged, target) {
            let to =
                editing.document.with_untracked(|document| document.tiles().iter().position(|tile| tile.id == target));
            if let Some(to) = to {
                editing.apply(Command::Move(id, to));
            }
        }
    }

    /// Forgets what was dragged and pulled.
    pub(super) fn leave(self) {
        self.pull.set_value(None);
        self.dragged.set(None);
        self.target.set(None);
        self.pulled.set(None);
    }
}

fn place_of(all: &[(String, Rect)], id: &str) -> Option<usize> {
    all.iter().position(|(known, _)| known == id)
}

/// The grid. Tiles keep what they show when others come, go and move.
pub(super) fn grid(editing: Editing) -> WholeView {
    let hands = Hands::new();
    let ids = Memo::new(move |_| {
        editing.document.with(|document| document.tiles().iter().map(|tile| tile.id.clone()).collect::<Vec<_>>())
    });
    let keys = "Arrow keys move the tile. Arrow keys with Shift make it wider, narrower, higher or lower.";
    view! {
        <p id="editor-keys" class="visually-hidden">{keys}</p>
        <div class="dashboard editor-grid" data-testid="editor-grid">
            <For each=move || ids.get() key=|id| id.clone() children=move |id| tile(editing, id, hands) />
        </div>
    }
    .whole()
}
