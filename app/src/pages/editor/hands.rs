//! A hand on the grids of the editor: it drags a tile to another place, or pulls it larger and smaller.

use leptos::{ev::PointerEvent, prelude::*};
use wasm_bindgen::JsCast;

use super::state::Editing;
use crate::editor::{Command, Place, Rect, Resize, drop_place, resized};

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

/// What stands for a place where no tile is, among the ids of tiles.
const EMPTY: &str = "place:";

/// What stands for an empty place among the ids of tiles.
pub(super) fn empty_place(place: &Place) -> String {
    match place {
        Place::Page => EMPTY.to_owned(),
        Place::Tab(id) => format!("{EMPTY}tab:{id}"),
        Place::Section(id) => format!("{EMPTY}section:{id}"),
    }
}

/// The empty place that this stands for; none where it is the id of a tile, which has no colon.
pub(super) fn place_of_empty(id: &str) -> Option<Place> {
    match id.strip_prefix(EMPTY)?.split_once(':') {
        Some(("tab", id)) => Some(Place::Tab(id.to_owned())),
        Some((_, id)) => Some(Place::Section(id.to_owned())),
        None => Some(Place::Page),
    }
}

/// Puts a tile where another tile is, or where none is.
pub(super) fn put(editing: Editing, id: String, target: &str) {
    if let Some(place) = place_of_empty(target) {
        return editing.apply(Command::Stand(id, place));
    }
    let to = editing.document.with_untracked(|document| document.tiles().iter().position(|tile| tile.id == target));
    if let Some(to) = to {
        editing.apply(Command::Move(id, to));
    }
}

/// A tile, or a place where none is.
pub(super) struct Cell {
    pub(super) id: String,
    /// The tab or section, as [`empty_place`] says it.
    place: String,
    /// Where it lies in the window.
    pub(super) rect: Rect,
}

/// All of them in order.
pub(super) fn cells() -> Vec<Cell> {
    let cells = document().query_selector_all("[data-cell]").ok();
    let one = |place: u32| {
        let cell: web_sys::Element = cells.as_ref()?.item(place)?.dyn_into().ok()?;
        let bounds = cell.get_bounding_client_rect();
        let rect = Rect { x: bounds.x(), y: bounds.y(), width: bounds.width(), height: bounds.height() };
        Some(Cell { id: cell.get_attribute("data-cell")?, place: cell.get_attribute("data-place")?, rect })
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
        let Some(own) = cells().into_iter().find(|cell| cell.id == id) else { return };
        let resize = Resize { size, column_px: own.rect.width / f64::from(size.0.max(1)) };
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
        let all = cells();
        let Some(own) = all.iter().position(|cell| cell.id == id) else { return };
        // On another tab or in another section it takes the place of what is there.
        let elsewhere = all.iter().find(|cell| cell.rect.holds(point) && cell.place != all[own].place);
        let near = || {
            let rects: Vec<Rect> = all.iter().map(|cell| cell.rect).collect();
            all.get(drop_place(&rects, own, point))
        };
        let target = elsewhere.or_else(near).map(|cell| cell.id.clone()).filter(|target| *target != id);
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
            put(editing, id, &target);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_place_reads_back_and_no_tile_is_one() {
        for place in [Place::Page, Place::Tab("a-1".into()), Place::Section("b".into())] {
            assert_eq!(place_of_empty(&empty_place(&place)), Some(place));
        }
        assert_eq!(place_of_empty("tile"), None);
    }
}
