//! The moving parts of a chart: what is drawn again when something changes, and where the cursor is.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{HtmlCanvasElement, ResizeObserver};

use super::{Pick, Picture, SharedCrosshair, Window};
use crate::{
    browser,
    charts::{CanvasRenderer, Note, Palette, Readout, Renderer, Scene, Size, View, of_target},
    components::theme::Theme,
};

thread_local! {
    /// The colours of a version of the theme: whoever reads them makes the browser work out its styles.
    static PALETTE: RefCell<Option<(u32, Palette)>> = const { RefCell::new(None) };
}

/// Where the cursor is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cursor {
    /// At an x at which there are rows.
    X(f64),
    /// At a target of the scene.
    Target(usize),
}

/// A drag in progress: where it began and where it is, in CSS pixels, and whether it moves the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drag {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) pans: bool,
    /// Whether it is made by keys, which the pointer leaves alone.
    pub(super) by_key: bool,
    /// Whether it marks nothing and only chooses: a finger, and whatever is on an axis of categories.
    pub(super) taps: bool,
    /// The window when it began.
    pub(super) window: (f64, f64),
}

#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) picture: Signal<Option<Arc<Picture>>>,
    pub(super) host: NodeRef<html::Div>,
    pub(super) canvas: NodeRef<html::Canvas>,
    pub(super) overlay: NodeRef<html::Canvas>,
    pub(super) brush_box: NodeRef<html::Div>,
    pub(super) size: RwSignal<Option<Size>>,
    pub(super) cursor: RwSignal<Option<Cursor>>,
    /// Whether the readout is spoken: only what was moved to by key.
    pub(super) spoken: RwSignal<bool>,
    pub(super) window: RwSignal<Window>,
    /// What the x axis spans without a window; what is read for a window says no more of it.
    pub(super) whole: StoredValue<Option<(f64, f64)>>,
    notes: Signal<Arc<Vec<Note>>>,
    marked: RwSignal<Vec<usize>>,
    pub(super) hidden: RwSignal<Vec<usize>>,
    pub(super) drag: RwSignal<Option<Drag>>,
    /// The stretch that is being dragged over, in CSS pixels.
    pub(super) brushed: Signal<Option<(f64, f64)>>,
    pub(super) scene: Signal<Option<Arc<Scene>>>,
    /// Two fingers on the chart, as they came: their identifiers and where they are.
    pub(super) fingers: StoredValue<Vec<(i32, f64)>>,
    pub(super) pick: Option<Callback<Pick>>,
    pub(super) brush: Option<Callback<(f64, f64)>>,
    shared: Option<SharedCrosshair>,
    id: u32,
}

/// Charts of a browser's tab are counted, so that each knows which crosshair is its own.
static CHARTS: AtomicU32 = AtomicU32::new(0);

impl Parts {
    pub(super) fn new(
        picture: Signal<Option<Arc<Picture>>>,
        window: RwSignal<Window>,
        (notes, marked): (Signal<Arc<Vec<Note>>>, RwSignal<Vec<usize>>),
        pick: Option<Callback<Pick>>,
        brush: Option<Callback<(f64, f64)>>,
    ) -> Parts {
        let (size, hidden, drag) = (RwSignal::new(None), RwSignal::new(Vec::new()), RwSignal::new(None::<Drag>));
        let view = move || {
            let size: Size = size.get()?;
            let (x, hidden, notes, marked) = (window.get(), hidden.get(), notes.get(), marked.get());
            Some(View { width: size.width, height: size.height, x, hidden, notes, marked })
        };
        let scene = ArcMemo::new(move |_| {
            let view = view()?;
            let place = || picture.with(|it| Scene::new(&it.as_ref()?.data, &view));
            browser::timed("tidemark:place", place).map(Arc::new)
        });
        let brushed = Signal::derive(move || {
            let drag = drag.get().filter(|drag| !drag.pans && !drag.taps)?;
            Some((drag.from.min(drag.to), drag.from.max(drag.to)))
        });
        Parts {
            picture,
            host: NodeRef::new(),
            canvas: NodeRef::new(),
            overlay: NodeRef::new(),
            brush_box: NodeRef::new(),
            size,
            cursor: RwSignal::new(None),
            spoken: RwSignal::new(false),
            window,
            whole: StoredValue::new(None),
            notes,
            marked,
            hidden,
            drag,
            brushed,
            scene: scene.into(),
            fingers: StoredValue::new(Vec::new()),
            pick,
            brush,
            shared: use_context(),
            id: CHARTS.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(super) fn draw_when_anything_changes(self) {
        let theme = expect_context::<Theme>();
        Effect::new(move |_| self.observe_size());
        Effect::new(move |_| {
            self.picture.track();
            self.size.track();
            if self.window.get_untracked().is_none() {
                self.whole.set_value(self.whole_window());
            }
        });
        // Series that another answer brings are other series.
        Effect::new(move |before: Option<Vec<String>>| {
            let names = self.picture.with(|it| {
                it.as_ref().map(|it| it.data.series.iter().map(|series| series.name.clone()).collect::<Vec<_>>())
            });
            let names = names.unwrap_or_default();
            if before.is_some_and(|before| before != names) {
                self.hidden.set(Vec::new());
            }
            names
        });
        Effect::new(move |_| {
            let theme = theme.version.get();
            let (Some(size), Some(canvas)) = (self.size.get(), self.canvas.get()) else { return };
            let scene = self.scene.get();
            let draw = |renderer: &mut dyn Renderer, palette: &Palette| renderer.draw(scene.as_deref(), palette, size);
            browser::timed("tidemark:draw", || self.render(theme, canvas, draw));
        });
        Effect::new(move |_| {
            let theme = theme.version.get();
            let (Some(size), Some(canvas)) = (self.size.get(), self.overlay.get()) else { return };
            let Some(scene) = self.scene.get() else { return };
            let readout = self.readout_at_cursor().or_else(|| self.readout_of_others());
            self.render(theme, canvas, |renderer, palette| {
                renderer.draw_crosshair(&scene, readout.as_ref(), palette, size)
            });
        });
        Effect::new(move |_| {
            let (Some(area), Some((from, to)), Some(scene)) =
                (self.brush_box.get(), self.brushed.get(), self.scene.get())
            else {
                return;
            };
            let frame = scene.layout.frame;
            let style = web_sys::HtmlElement::style(&area);
            let places = [("left", from), ("width", to - from), ("top", frame.top), ("height", frame.height)];
            for (name, value) in places {
                // Fails for names that are none only.
                let _ = style.set_property(name, &format!("{value}px"));
            }
        });
    }

    fn render(
        self,
        theme: u32,
        canvas: HtmlCanvasElement,
        draw: impl Fn(&mut dyn Renderer, &Palette) -> Result<(), String>,
    ) {
        PALETTE.with_borrow_mut(|read| {
            if read.as_ref().is_none_or(|(of, _)| *of != theme) {
                *read = Palette::read(browser::token).map(|palette| (theme, palette));
            }
            // Without the stylesheet there are no colours, and nothing that could be drawn honestly.
            let Some((_, palette)) = read else { return };
            if let Err(error) = draw(&mut CanvasRenderer::new(canvas), palette) {
                leptos::logging::error!("{error}");
            }
        });
    }

    /// Follows the size of the box the chart stands in; while it is hidden, the last size stays.
    fn observe_size(self) {
        let Some(host) = self.host.get() else { return };
        let resized = Closure::<dyn Fn()>::new(move || self.measure());
        let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) else { return };
        observer.observe(&host);
        let kept = StoredValue::new_local((observer, resized));
        on_cleanup(move || {
            kept.try_with_value(|(observer, _)| observer.disconnect());
        });
    }

    fn measure(self) {
        let Some(host) = self.host.try_get_untracked().flatten() else { return };
        let (width, height) = (f64::from(host.client_width()), f64::from(host.client_height()));
        let size = Size { width, height, scale: browser::pixel_ratio() };
        let changed = self.size.try_with_untracked(|current| *current != Some(size)) == Some(true);
        if width >= 1.0 && height >= 1.0 && changed {
            self.size.try_set(Some(size));
        }
    }

    pub(super) fn view(self) -> View {
        let size = self.size.get_untracked();
        let (width, height) = size.map_or((1.0, 1.0), |size| (size.width, size.height));
        let (x, hidden) = (self.window.get_untracked(), self.hidden.get_untracked());
        let (notes, marked) = (self.notes.get_untracked(), self.marked.get_untracked());
        View { width, height, x, hidden, notes, marked }
    }

    /// What stands at the cursor; tracked.
    pub(super) fn readout_at_cursor(self) -> Option<Readout> {
        let cursor = self.cursor.get()?;
        let scene = self.scene.get()?;
        self.picture.with(|it| {
            let it = it.as_ref()?;
            match cursor {
                Cursor::X(x) => it.index.at(&it.data, &self.view(), &scene.layout, x),
                Cursor::Target(index) => of_target(&it.data, &self.view(), &scene, index),
            }
        })
    }

    /// What stands at the instant that another chart of the page shows.
    fn readout_of_others(self) -> Option<Readout> {
        let (x, _) = self.shared?.0.get().filter(|(_, from)| *from != self.id)?;
        let scene = self.scene.get()?;
        self.picture.with(|it| {
            let it = it.as_ref().filter(|it| it.data.x_is_time())?;
            let near = it.index.nearest(&it.data, &self.view(), &scene.layout, scene.layout.x_pixel(x))?;
            it.index.at(&it.data, &self.view(), &scene.layout, near)
        })
    }

    /// What stands at the cursor, or at the end of the chart while there is none.
    pub(super) fn readout_text(self) -> String {
        let readout = self.readout_at_cursor().or_else(|| self.readout_of_others()).or_else(|| {
            let scene = self.scene.get()?;
            self.picture.with(|it| {
                let it = it.as_ref().filter(|_| scene.targets.is_empty())?;
                it.index.at_end(&it.data, &self.view(), &scene.layout)
            })
        });
        readout.map(|readout| readout.text()).unwrap_or_default()
    }

    pub(super) fn move_to(self, cursor: Option<Cursor>) {
        if self.cursor.get_untracked() == cursor {
            return;
        }
        self.cursor.set(cursor);
        let Some(SharedCrosshair(shared)) = self.shared else { return };
        let time = self.picture.with_untracked(|it| it.as_ref().is_some_and(|it| it.data.x_is_time()));
        match cursor {
            Some(Cursor::X(x)) if time => shared.set(Some((x, self.id))),
            _ if shared.with_untracked(|at| at.is_some_and(|(_, from)| from == self.id)) => shared.set(None),
            _ => {}
        }
    }

    pub(super) fn toggle(self, series: Vec<usize>) {
        self.hidden.update(|hidden| {
            let off = series.iter().all(|series| hidden.contains(series));
            hidden.retain(|known| !series.contains(known));
            if !off {
                hidden.extend(series);
            }
        });
    }

    /// All of the x axis again.
    pub(super) fn show_all(self) {
        if self.window.get_untracked().is_some() {
            self.window.set(None);
        }
    }

    /// Chooses what is read out at the cursor.
    pub(super) fn choose(self) {
        let (Some(pick), Some(readout)) = (self.pick, untrack(move || self.readout_at_cursor())) else { return };
        if let Some(entry) = readout.entries.first() {
            let chosen = Pick { row: entry.row, series: entry.series };
            // After the click is done with, so that what it leads to may take this chart away.
            set_timeout(move || pick.run(chosen), Duration::ZERO);
        }
    }
}
