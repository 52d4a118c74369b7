//! A chart on the page: drawn on a canvas, read out under pointer and keys, and told again as a table.

use std::sync::Arc;

use leptos::{ev::KeyboardEvent, html, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{HtmlCanvasElement, ResizeObserver};

use super::{
    grid::{Column, Grid, GridView},
    theme::Theme,
    whole::Whole,
};
use crate::{
    browser,
    charts::{CanvasRenderer, ChartSpec, Layout, Mark, Palette, Renderer, Size},
};

/// Steps that Shift makes of one.
const LONG_STEP: usize = 10;

type Spec = Signal<Option<Arc<ChartSpec>>>;

/// A chart with its table. `testid` names the chart, `table_testid` the table.
#[component]
pub fn ChartView(testid: &'static str, table_testid: &'static str, #[prop(into)] spec: Spec) -> impl IntoView {
    let parts = Parts {
        spec,
        host: NodeRef::new(),
        canvas: NodeRef::new(),
        overlay: NodeRef::new(),
        size: RwSignal::new(None),
        cursor: RwSignal::new(None),
        spoken: RwSignal::new(false),
    };
    parts.draw_when_anything_changes();
    let as_table = RwSignal::new(false);
    let summary =
        move || spec.with(|spec| spec.as_ref().map_or_else(|| "No data yet".to_owned(), |spec| spec.summary()));
    let spoken = move || if parts.spoken.get() { parts.readout() } else { String::new() };
    let toggle_word = move || if as_table.get() { "Chart" } else { "Table" };
    view! {
        <div class="chart">
            <div class="chart-head">
                <p class="chart-unit">{move || spec.with(|spec| spec.as_ref().map(|spec| spec.unit.clone()))}</p>
                {move || spec.with(|spec| spec.as_ref().and_then(|spec| legend(spec)))}
                <p class="chart-readout">{move || parts.readout()}</p>
                <button
                    type="button"
                    class="quiet-button"
                    data-testid=format!("{testid}-toggle")
                    on:click=move |_| as_table.update(|shown| *shown = !*shown)
                >
                    {toggle_word}
                </button>
            </div>
            <div
                class="chart-canvas"
                role="img"
                tabindex="0"
                aria-label=summary
                data-testid=testid
                hidden=move || as_table.get()
                node_ref=parts.host
                on:pointermove=move |event| parts.point(f64::from(event.offset_x()))
                on:pointerleave=move |_| parts.leave()
                on:focus=move |_| parts.speak()
                on:blur=move |_| parts.leave()
                on:keydown=move |event| parts.key(&event)
            >
                <canvas node_ref=parts.canvas aria-hidden="true"></canvas>
                <canvas class="chart-overlay" node_ref=parts.overlay aria-hidden="true"></canvas>
            </div>
            <p class="visually-hidden" aria-live="polite">{spoken}</p>
            <Show when=move || as_table.get()>
                <Twin spec testid=table_testid />
            </Show>
        </div>
    }
    .whole()
}

#[component]
fn Twin(spec: Spec, testid: &'static str) -> impl IntoView {
    let title = spec.with_untracked(|spec| spec.as_ref().map(|spec| spec.title.clone())).unwrap_or_default();
    let grid = Memo::new(move |_| spec.with(|spec| spec.as_ref().map(|spec| Arc::new(twin_grid(spec)))));
    view! { <GridView label=format!("{title} as a table") testid grid /> }
}

fn twin_grid(spec: &ChartSpec) -> Grid {
    let twin = spec.twin();
    let columns = twin.headers.into_iter().enumerate().map(|(index, title)| Column { title, numeric: index > 0 });
    Grid { columns: columns.collect(), rows: twin.rows }
}

/// Names beside colours, where there is more than one series.
fn legend(spec: &ChartSpec) -> Option<AnyView> {
    if spec.series.len() < 2 {
        return None;
    }
    let item = |series: &crate::charts::Series| {
        let dashed = if series.mark == Mark::Dashed { " dashed" } else { "" };
        let class = format!("swatch series-{}{dashed}", series.color);
        let name = series.name.clone();
        view! {
            <li>
                <span class=class aria-hidden="true"></span>
                {name}
            </li>
        }
        .whole()
    };
    Some(view! { <ul class="legend">{spec.series.iter().map(item).collect_view()}</ul> }.whole())
}

/// The moving parts of a chart.
#[derive(Clone, Copy)]
struct Parts {
    spec: Spec,
    host: NodeRef<html::Div>,
    canvas: NodeRef<html::Canvas>,
    overlay: NodeRef<html::Canvas>,
    size: RwSignal<Option<Size>>,
    /// The x that is being read out.
    cursor: RwSignal<Option<i64>>,
    /// Whether the readout is spoken: only what was moved to by key.
    spoken: RwSignal<bool>,
}

impl Parts {
    fn draw_when_anything_changes(self) {
        let theme = expect_context::<Theme>();
        Effect::new(move |_| self.observe_size());
        Effect::new(move |_| {
            theme.version.track();
            let (Some(size), Some(canvas)) = (self.size.get(), self.canvas.get()) else { return };
            self.spec.with(|spec| {
                if let Some(spec) = spec {
                    self.render(canvas, |renderer, palette| renderer.draw(spec, palette, size));
                }
            });
        });
        Effect::new(move |_| {
            theme.version.track();
            let (Some(size), Some(canvas)) = (self.size.get(), self.overlay.get()) else { return };
            let at = self.cursor.get();
            self.spec.with(|spec| {
                if let Some(spec) = spec {
                    self.render(canvas, |renderer, palette| renderer.draw_crosshair(spec, palette, size, at));
                }
            });
        });
    }

    fn render(self, canvas: HtmlCanvasElement, draw: impl Fn(&mut dyn Renderer, &Palette) -> Result<(), String>) {
        // Without the stylesheet there are no colours, and nothing that could be drawn honestly.
        let Some(palette) = Palette::read(browser::token) else { return };
        if let Err(error) = draw(&mut CanvasRenderer::new(canvas), &palette) {
            leptos::logging::error!("{error}");
        }
    }

    /// Follows the size of the box the chart stands in; while it is hidden, the last size stays.
    fn observe_size(self) {
        let Some(host) = self.host.get() else { return };
        let measured = host.clone();
        let resized = Closure::<dyn Fn()>::new(move || {
            let (width, height) = (f64::from(measured.client_width()), f64::from(measured.client_height()));
            let size = Size { width, height, scale: browser::pixel_ratio() };
            let changed = self.size.try_with_untracked(|current| *current != Some(size)) == Some(true);
            if width >= 1.0 && height >= 1.0 && changed {
                self.size.try_set(Some(size));
            }
        });
        let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) else { return };
        observer.observe(&host);
        let kept = StoredValue::new_local((observer, resized));
        on_cleanup(move || {
            kept.try_with_value(|(observer, _)| observer.disconnect());
        });
    }

    /// What stands at the cursor, or at the end of the chart while there is none.
    fn readout(self) -> String {
        let cursor = self.cursor.get();
        self.spec
            .with(|spec| {
                let spec = spec.as_ref()?;
                let at = cursor.or_else(|| spec.last_x())?;
                Some(spec.readout(at))
            })
            .unwrap_or_default()
    }

    fn point(self, offset: f64) {
        let Some(size) = self.size.get_untracked() else { return };
        let nearest = self.spec.with_untracked(|spec| {
            let spec = spec.as_ref()?;
            let at = Layout::new(spec, size.width, size.height)?.x_at(offset);
            spec.xs().into_iter().min_by_key(|x| x.abs_diff(at))
        });
        self.spoken.set(false);
        self.move_to(nearest);
    }

    fn move_to(self, x: Option<i64>) {
        if self.cursor.get_untracked() != x {
            self.cursor.set(x);
        }
    }

    fn leave(self) {
        self.spoken.set(false);
        self.move_to(None);
    }

    /// Taking the focus shows and says what stands at the end.
    fn speak(self) {
        self.spoken.set(true);
        self.move_to(self.spec.with_untracked(|spec| spec.as_ref()?.last_x()));
    }

    fn key(self, event: &KeyboardEvent) {
        let xs = self.spec.with_untracked(|spec| spec.as_ref().map(|spec| spec.xs())).unwrap_or_default();
        let Some(last) = xs.len().checked_sub(1) else { return };
        let at = self.cursor.get_untracked().and_then(|cursor| xs.binary_search(&cursor).ok()).unwrap_or(last);
        let step = if event.shift_key() { LONG_STEP } else { 1 };
        let to = match event.key().as_str() {
            "ArrowLeft" => at.saturating_sub(step),
            "ArrowRight" => (at + step).min(last),
            "Home" => 0,
            "End" => last,
            "Escape" => {
                event.prevent_default();
                return self.leave();
            }
            _ => return,
        };
        event.prevent_default();
        self.spoken.set(true);
        self.move_to(xs.get(to).copied());
    }
}
