//! The earlier period that a chart is compared with: rows of an answer of their own, drawn over those of today in the same
//! frame, moved by as much as the periods lie apart.

use std::sync::Arc;

use super::{
    ChartSpec, Data, Entry, Index, Layout, Mark, Scale, SeriesInfo, SeriesStyle, View,
    marks::{bars, lines},
    readout::{Beside, REACH},
    scene::{Ink, Layer},
};
use crate::format::time::DAY_MICROS;

/// Where an earlier period has no row at a place, a row that lies before it by a weekend and a holiday stands in a table.
const STALE_MICROS: f64 = 4.0 * DAY_MICROS as f64;

/// Rows of an earlier period.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub(super) data: Data,
    /// How far the periods lie apart along x, in microseconds; zero where x is no time.
    shift: f64,
    /// How many series the later rows have. Others have no name in the legend and are not shown: neither drawn, nor read out, nor
    /// counted for the axis.
    pub(super) series: usize,
    index: Arc<Index>,
}

impl ChartSpec {
    /// Whether an earlier period can be drawn in the same frame.
    pub fn compares(&self) -> bool {
        matches!(self.mark, Mark::Line | Mark::Area | Mark::Bar)
    }
}

impl Data {
    /// The spec by which the rows of an earlier period are bound: its series have the places and colours that they have here.
    pub fn spec_of_earlier(&self) -> ChartSpec {
        let style = |series: &SeriesInfo| SeriesStyle {
            value: series.value.clone(),
            name: series.name.clone(),
            color: series.color,
            dashed: true,
        };
        ChartSpec { styles: self.series.iter().map(style).collect(), ..ChartSpec::clone(&self.spec) }
    }

    /// The same beside the rows of a period that lies so many microseconds before.
    pub fn compared_with(mut self, mut earlier: Data, shift_micros: f64) -> Data {
        let shift = if self.x_is_time() { shift_micros } else { 0.0 };
        earlier.x.name_as(&self.x.labels);
        self.earlier =
            Some(Arc::new(Earlier { data: earlier, shift, series: self.series.len(), index: Arc::default() }));
        self
    }

    /// Whether there is an earlier period beside it.
    pub fn is_compared(&self) -> bool {
        self.earlier.is_some()
    }

    /// The value of a series in the earlier period, at the place of an x of this one or a little before it; then with where
    /// it stood.
    pub fn earlier_text(&self, series: usize, x: f64) -> Option<String> {
        let earlier = self.earlier.as_ref()?;
        let at = x - earlier.shift;
        let (found, row) = earlier.index.row_until(&earlier.data, series, at)?;
        let value = earlier.data.value_text(series, row);
        match found == at {
            true => Some(value),
            false if self.x_is_time() && at - found <= STALE_MICROS => {
                Some(format!("{value} ({})", earlier.data.x_text(row)))
            }
            false => None,
        }
    }
}

impl Earlier {
    /// The layout of the later rows as these see it.
    fn layout(&self, layout: &Layout) -> Layout {
        Layout { x: self.scale(&layout.x), ..layout.clone() }
    }

    fn scale(&self, x: &Scale) -> Scale {
        match x {
            Scale::Time { from, to } => Scale::Time { from: from - self.shift, to: to - self.shift },
            other => other.clone(),
        }
    }

    /// The view of the later rows as these see it.
    fn view(&self, view: &View) -> View {
        let x = view.x.map(|(from, to)| (from - self.shift, to - self.shift));
        let without = self.series..self.data.series.len();
        View { x, hidden: view.hidden.iter().copied().chain(without).collect(), ..view.clone() }
    }

    /// Least and greatest value of what is shown, for the axis that both share.
    pub(super) fn values_in_view(
        &self,
        view: &View,
        x: &Scale,
        values: impl Fn(&Data, &View, &Scale) -> Option<(f64, f64)>,
    ) -> Option<(f64, f64)> {
        values(&self.data, &self.view(view), &self.scale(x))
    }

    /// What is drawn of them: lines behind the later ones, outlines over bars.
    pub(super) fn layers(&self, view: &View, layout: &Layout) -> Vec<Layer> {
        let (view, layout) = (self.view(view), self.layout(layout));
        if self.data.spec.mark != Mark::Bar {
            return lines::lines(&self.data, &view, &layout, None);
        }
        let outline = |layer: Layer| match layer {
            // Where a bar is cut off, that of now says so.
            Layer::Boxes { ink: Ink::Surface, .. } | Layer::Label { .. } => None,
            Layer::Boxes { boxes, .. } => Some(Layer::Outlines { ink: Ink::Text, boxes }),
            other => Some(other),
        };
        bars::side_by_side(&self.data, &view, &layout).0.into_iter().filter_map(outline).collect()
    }

    /// What stood at the place of an x of the later rows.
    pub(super) fn beside(&self, view: &View, layout: &Layout, x: f64) -> Vec<Beside> {
        let (view, layout, at) = (self.view(view), self.layout(layout), x - self.shift);
        let beside = |entry: Entry| Beside { at: self.data.x_text(entry.row), entry };
        let reach = if self.data.spec.mark == Mark::Bar { 0.5 } else { REACH };
        let near = self.index.nearest(&self.data, &view, &layout, layout.x_pixel(at));
        let near = near.filter(|near| (layout.x_pixel(*near) - layout.x_pixel(at)).abs() <= reach);
        let entries = near.and_then(|near| self.index.at(&self.data, &view, &layout, near)).map(|it| it.entries);
        entries.unwrap_or_default().into_iter().map(beside).collect()
    }
}
